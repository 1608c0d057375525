-- delete_old_steps
-- Delete the rows of runs that ended before the cut, and count them for the funnel
-- halo_engine/retention/pages.py
-- Parameters: org_id uuid, limit integer, cut timestamp with time zone
WITH page AS
  (SELECT automation_recipients.id AS id,
          automation_recipients.created_at AS created_at
   FROM automation_recipients
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_2)
   ORDER BY automation_recipients.id
   LIMIT :limit::INTEGER),
     "old" AS
  (SELECT automation_recipients.id AS id,
          automation_recipients.created_at AS created_at
   FROM page
   JOIN automation_recipients ON automation_recipients.id = page.id
   AND automation_recipients.org_id =
     (SELECT :org_id::UUID AS anon_3)
   WHERE page.created_at < :cut::TIMESTAMP WITH TIME ZONE
     AND automation_recipients.created_at = page.created_at
     AND (automation_recipients.status NOT IN ('pending',
                                               'processing'))
     AND (EXISTS
            (SELECT automation_enrollments.number
             FROM automation_enrollments
             WHERE automation_enrollments.org_id =
                 (SELECT :org_id::UUID AS anon_4)
               AND automation_enrollments.automation_id = automation_recipients.automation_id
               AND automation_enrollments.end_user_id = automation_recipients.end_user_id
               AND automation_enrollments.number = automation_recipients.enrollment_number
               AND automation_enrollments.ended_at < :cut::TIMESTAMP WITH TIME ZONE))
     FOR
     UPDATE OF automation_recipients SKIP LOCKED),
     gone AS
  (DELETE
   FROM automation_recipients USING "old"
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_5)
     AND automation_recipients.id = "old".id RETURNING automation_recipients.id,
                                                       automation_recipients.automation_id,
                                                       automation_recipients.step_id,
                                                       automation_recipients.status,
                                                       automation_recipients.reason),
     counted AS
  (INSERT INTO cleared_recipients (org_id, automation_id, step_id, status, reason, recipients) SELECT :org_id::UUID AS anon_1,
                                                                                                      gone.automation_id AS automation_id,
                                                                                                      gone.step_id AS step_id,
                                                                                                      gone.status AS status,
                                                                                                      CASE
                                                                                                          WHEN (gone.status = 'skipped'::VARCHAR) THEN gone.reason
                                                                                                      END AS reason,
                                                                                                      count(*) AS count_1
   FROM gone
   WHERE gone.status = 'skipped'::VARCHAR
     OR gone.status = 'failed'::VARCHAR
     AND gone.reason != 'outcome_unknown'::VARCHAR
   GROUP BY gone.automation_id,
            gone.step_id,
            gone.status,
            CASE
                WHEN (gone.status = 'skipped'::VARCHAR) THEN gone.reason
            END)
SELECT max(page.id) AS max_1,
       coalesce(bool_or(page.created_at >= :cut::TIMESTAMP WITH TIME ZONE), true) AS coalesce_1,

  (SELECT count(*) AS count_2
   FROM gone) AS anon_6
FROM page;
