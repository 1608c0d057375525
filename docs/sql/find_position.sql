-- find_position
-- halo_engine/answers/explain/position.py
-- Parameters: org_id uuid, series_id uuid, contact_ids uuid[]
SELECT automation_recipients.id,
       automation_recipients.step_id,
       automation_recipients.created_at,
       automation_recipients.status,
       coalesce(automation_recipients.was_due, automation_recipients.scheduled_for) AS scheduled_for,
       coalesce(automation_recipients.first_due, coalesce(automation_recipients.was_due, automation_recipients.scheduled_for)) AS first_due,
       automation_recipients.error,
       automation_recipients.failed_at,
       automation_recipients.retry_at,
       automation_recipients.end_user_id,
       automation_recipients.enrollment_number,
       automation_enrollments.created_at AS enrolled_at,
       EXISTS
  (SELECT *
   FROM messages
   WHERE messages.org_id = automation_recipients.org_id
     AND messages.end_user_id = automation_recipients.end_user_id
     AND messages.automation_id = automation_recipients.automation_id
     AND messages.enrollment_number = automation_recipients.enrollment_number
     AND (messages.machine_opened_at IS NOT NULL
          OR messages.machine_clicked_at IS NOT NULL)) AS machines,
              automation_enrollments.event_properties
FROM automation_recipients
JOIN automation_enrollments ON automation_enrollments.org_id = automation_recipients.org_id
AND automation_enrollments.end_user_id = automation_recipients.end_user_id
AND automation_enrollments.automation_id = automation_recipients.automation_id
AND automation_enrollments.number = automation_recipients.enrollment_number
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.automation_id = :series_id::UUID
  AND automation_recipients.end_user_id = ANY (:contact_ids::UUID[])
  AND automation_recipients.status IN ('pending',
                                       'processing');
