-- find_draft
-- halo_engine/series/deletion.py
-- Parameters: org_id uuid, series_key text
SELECT automations.id,
       automations.status
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.key = :series_key::VARCHAR;
