-- find_failed_mails
-- halo_engine/mail/sending/retrying/writing.py
-- Parameters: org_id uuid, series_id uuid
SELECT automation_recipients.org_id,
       automation_recipients.id,
       automation_recipients.automation_id,
       automation_recipients.step_id,
       automation_recipients.end_user_id,
       automation_recipients.enrollment_number,
       automation_recipients.status,
       automation_recipients.reason,
       automation_recipients.exit_reason,
       automation_recipients.scheduled_for,
       automation_recipients.created_at,
       automation_recipients.finished_at,
       automation_recipients.lease_token,
       automation_recipients.lease_expires_at,
       automation_recipients.attempts,
       automation_recipients.parked_at,
       automation_recipients.error,
       automation_recipients.retry_at,
       automation_recipients.was_due,
       automation_recipients.first_due,
       automation_recipients.failed_at,
       automation_recipients.tries,
       automation_recipients.latest_due,
       automation_enrollments.exit_reason AS ended
FROM automation_recipients
JOIN automation_enrollments ON automation_enrollments.org_id = automation_recipients.org_id
AND automation_enrollments.automation_id = automation_recipients.automation_id
AND automation_enrollments.end_user_id = automation_recipients.end_user_id
AND automation_enrollments.number = automation_recipients.enrollment_number
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.automation_id = :series_id::UUID
  AND automation_recipients.status = 'failed'::VARCHAR
  AND automation_recipients.id > 0::BIGINT
  AND automation_recipients.reason != 'outcome_unknown'::VARCHAR
ORDER BY automation_recipients.id
LIMIT 10::INTEGER
FOR KEY SHARE OF automation_enrollments;
