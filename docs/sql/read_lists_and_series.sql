-- read_lists_and_series
-- halo_engine/answers/reports/fields.py
-- Parameters: org_id uuid
SELECT memberships.entity,
       memberships.key
FROM
  (SELECT 'list'::VARCHAR AS entity,
          subscriptions.key AS key
   FROM subscriptions
   WHERE subscriptions.org_id =
       (SELECT :org_id::UUID AS anon_1)
   UNION ALL SELECT 'series'::VARCHAR AS entity,
                    automations.key AS key
   FROM automations
   WHERE automations.org_id =
       (SELECT :org_id::UUID AS anon_2)) AS memberships
ORDER BY memberships.entity,
         memberships.key;
