-- count_matched
-- halo_engine/audience/matched.py
-- Parameters: org_id uuid
SELECT count(*) AS count_1
FROM end_users
LEFT OUTER JOIN suppressions AS suppression ON suppression.org_id =
  (SELECT :org_id::UUID AS anon_1)
AND suppression.address = end_users.address
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
       AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true
  AND suppression.address IS NULL;
