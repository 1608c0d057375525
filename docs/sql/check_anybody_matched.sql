-- check_anybody_matched
-- halo_engine/audience/matched.py
-- Parameters: org_id uuid
SELECT EXISTS
  (SELECT end_users.id
   FROM end_users
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
          AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true
     AND (EXISTS
            (SELECT *
             FROM suppressions
             WHERE suppressions.org_id = end_users.org_id
               AND suppressions.address = end_users.address)) IS false) AS anon_1;
