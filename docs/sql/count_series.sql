-- count_series
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid, search text
SELECT count(*) AS count_1
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND ((lower(automations.name) LIKE '%' || :search::VARCHAR || '%' ESCAPE '/')
       OR (lower(automations.key) LIKE '%' || :search::VARCHAR || '%' ESCAPE '/'));
