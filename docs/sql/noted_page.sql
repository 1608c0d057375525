-- noted_page
-- halo_engine/enrollment/pages.py
-- Parameters: org_id uuid
WITH noted AS MATERIALIZED
  (SELECT DISTINCT pass_notes.end_user_id AS end_user_id
   FROM pass_notes
   WHERE pass_notes.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND pass_notes.taken_by IS NULL)
SELECT end_users.created_at,
       end_users.id
FROM noted
JOIN end_users ON end_users.org_id =
  (SELECT :org_id::UUID AS anon_2)
AND end_users.id = noted.end_user_id
WHERE (end_users.created_at,
       end_users.id) > ('0001-01-01 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE,
                                                                         '00000000-0000-0000-0000-000000000000'::UUID)
ORDER BY end_users.created_at,
         end_users.id
LIMIT 501::INTEGER;
