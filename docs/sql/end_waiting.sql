-- end_waiting
-- Let nobody wait for data any more (§23)
-- halo_engine/series/lifecycle.py
-- Parameters: org_id uuid, series_id uuid
DELETE
FROM waiting_entries
WHERE waiting_entries.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND waiting_entries.automation_id = :series_id::UUID;
