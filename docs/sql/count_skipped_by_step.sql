-- count_skipped_by_step
-- halo_engine/answers/reports/funnel.py
-- Parameters: mail_state text, org_id uuid, series_id uuid
SELECT "both".step_id,
       "both"."end",
       sum("both".rows) AS sum_1
FROM
  (SELECT automation_recipients.step_id AS step_id,
          CASE
              WHEN (automation_recipients.status = 'skipped'::VARCHAR) THEN automation_recipients.reason
              ELSE :mail_state::VARCHAR
          END AS "end",
          count(*) AS rows
   FROM automation_recipients
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND automation_recipients.automation_id = :series_id::UUID
     AND (EXISTS
            (SELECT *
             FROM automation_enrollments
             WHERE automation_enrollments.org_id = automation_recipients.org_id
               AND automation_enrollments.automation_id = automation_recipients.automation_id
               AND automation_enrollments.end_user_id = automation_recipients.end_user_id
               AND automation_enrollments.number = automation_recipients.enrollment_number
               AND automation_enrollments.series_version = 1::INTEGER))
     AND (automation_recipients.status = 'skipped'::VARCHAR
          OR automation_recipients.status = 'failed'::VARCHAR
          AND automation_recipients.reason != 'outcome_unknown'::VARCHAR)
   GROUP BY automation_recipients.step_id,
            CASE
                WHEN (automation_recipients.status = 'skipped'::VARCHAR) THEN automation_recipients.reason
                ELSE :mail_state::VARCHAR
            END
   UNION ALL SELECT cleared_recipients.step_id AS step_id,
                    coalesce(cleared_recipients.reason, :mail_state::VARCHAR) AS coalesce_1,
                    cleared_recipients.recipients AS recipients
   FROM cleared_recipients
   WHERE false) AS "both"
GROUP BY "both".step_id,
         "both"."end";
