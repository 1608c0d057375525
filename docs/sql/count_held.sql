-- count_held
-- halo_engine/series/surges/held.py
-- Parameters: org_id uuid, series_id uuid
SELECT count(*) AS count_1
FROM held_entries
WHERE held_entries.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND held_entries.automation_id = :series_id::UUID;
