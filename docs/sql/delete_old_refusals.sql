-- delete_old_refusals
-- Delete refusals by the way: a contact has one in a series, so there are not ever more
-- halo_engine/retention/pages.py
-- Parameters: org_id uuid, limit integer, cut timestamp with time zone
WITH page AS
  (SELECT enrollment_refusals.automation_id AS automation_id,
          enrollment_refusals.end_user_id AS end_user_id,
          enrollment_refusals.refused_at AS refused_at
   FROM enrollment_refusals
   WHERE enrollment_refusals.org_id =
       (SELECT :org_id::UUID AS anon_1)
   ORDER BY enrollment_refusals.automation_id,
            enrollment_refusals.end_user_id
   LIMIT :limit::INTEGER),
     "old" AS
  (SELECT enrollment_refusals.automation_id AS automation_id,
          enrollment_refusals.end_user_id AS end_user_id
   FROM page
   JOIN enrollment_refusals ON enrollment_refusals.org_id =
     (SELECT :org_id::UUID AS anon_2)
   AND enrollment_refusals.automation_id = page.automation_id
   AND enrollment_refusals.end_user_id = page.end_user_id
   WHERE page.refused_at < :cut::TIMESTAMP WITH TIME ZONE
     AND enrollment_refusals.refused_at < :cut::TIMESTAMP WITH TIME ZONE
     FOR
     UPDATE OF enrollment_refusals SKIP LOCKED),
     gone AS
  (DELETE
   FROM enrollment_refusals USING "old"
   WHERE enrollment_refusals.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND enrollment_refusals.automation_id = "old".automation_id
     AND enrollment_refusals.end_user_id = "old".end_user_id RETURNING enrollment_refusals.automation_id)
SELECT last.automation_id,
       last.end_user_id,
       counted.deleted
FROM
  (SELECT
     (SELECT count(*) AS count_1
      FROM gone) AS deleted) AS counted
LEFT OUTER JOIN
  (SELECT page.automation_id AS automation_id,
          page.end_user_id AS end_user_id
   FROM page
   ORDER BY page.automation_id,
            page.end_user_id
   LIMIT 1::INTEGER
   OFFSET 499::INTEGER) AS last ON true;
