-- rebase_audience
-- halo_engine/series/rebase.py
-- Parameters: org_id uuid, series_id uuid
WITH seen AS
  (SELECT automation_enrollments.end_user_id AS end_user_id,
          automation_enrollments.number AS number, ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
                                                    AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS NOT true AS outside
   FROM end_users
   JOIN automation_enrollments ON automation_enrollments.org_id = end_users.org_id
   AND automation_enrollments.end_user_id = end_users.id
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND automation_enrollments.automation_id = :series_id::UUID
     AND NOT automation_enrollments.left_audience
     AND NOT (EXISTS
                (SELECT later.id
                 FROM automation_enrollments AS later
                 WHERE later.org_id = automation_enrollments.org_id
                   AND later.end_user_id = automation_enrollments.end_user_id
                   AND later.automation_id = automation_enrollments.automation_id
                   AND later.number > automation_enrollments.number)))
UPDATE automation_enrollments
SET outside_by_definition=seen.outside
FROM seen
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND automation_enrollments.automation_id = :series_id::UUID
  AND automation_enrollments.end_user_id = seen.end_user_id
  AND automation_enrollments.number = seen.number
  AND automation_enrollments.outside_by_definition != seen.outside;
