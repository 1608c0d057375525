-- count_mails_by_step
-- halo_engine/answers/reports/funnel.py
-- Parameters: org_id uuid, series_id uuid
SELECT messages.step_id,
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
GROUP BY messages.step_id;
