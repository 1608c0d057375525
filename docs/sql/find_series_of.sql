-- find_series_of
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid
SELECT automations.id,
       automations.key
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.key IN ('welcome'::VARCHAR);
