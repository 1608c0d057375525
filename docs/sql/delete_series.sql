-- delete_series
-- halo_engine/series/deletion.py
-- Parameters: org_id uuid, series_id uuid
DELETE
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.id = :series_id::UUID;
