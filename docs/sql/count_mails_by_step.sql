-- count_mails_by_step
-- halo_engine/answers/reports/funnel.py
-- Parameters: org_id uuid, series_id uuid
SELECT "both".step_id,
       CAST(sum("both".unknown) AS BIGINT) AS unknown,
       CAST(sum("both".sent) AS BIGINT) AS sent,
       CAST(sum("both".opened) AS BIGINT) AS opened,
       CAST(sum("both".clicked) AS BIGINT) AS clicked,
       CAST(sum("both".replied) AS BIGINT) AS replied,
       CAST(sum("both".machine_opened) AS BIGINT) AS machine_opened,
       CAST(sum("both".machine_clicked) AS BIGINT) AS machine_clicked
FROM
  (SELECT messages.step_id AS step_id,
          count(*) FILTER (
                           WHERE messages.state = 'unknown'::VARCHAR) AS unknown,
          count(messages.sent_at) AS sent,
          count(messages.opened_at) AS opened,
          count(messages.clicked_at) AS clicked,
          count(messages.replied_at) AS replied,
          count(messages.machine_opened_at) AS machine_opened,
          count(messages.machine_clicked_at) AS machine_clicked
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND messages.automation_id = :series_id::UUID
     AND (EXISTS
            (SELECT *
             FROM automation_enrollments
             WHERE automation_enrollments.org_id = messages.org_id
               AND automation_enrollments.automation_id = messages.automation_id
               AND automation_enrollments.end_user_id = messages.end_user_id
               AND automation_enrollments.number = messages.enrollment_number
               AND automation_enrollments.series_version = 1::INTEGER))
   GROUP BY messages.step_id
   UNION ALL SELECT cleared_mails.step_id AS step_id,
                    cleared_mails.unknown AS unknown,
                    cleared_mails.sent AS sent,
                    cleared_mails.opened AS opened,
                    cleared_mails.clicked AS clicked,
                    cleared_mails.replied AS replied,
                    cleared_mails.machine_opened AS machine_opened,
                    cleared_mails.machine_clicked AS machine_clicked
   FROM cleared_mails
   WHERE false) AS "both"
GROUP BY "both".step_id;
