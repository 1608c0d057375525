-- hold_expired
-- halo_engine/mail/sending/leases.py
-- Parameters: org_id uuid, limit integer
SELECT automation_recipients.id,
       automation_recipients.step_id,
       automation_recipients.created_at,
       automation_recipients.end_user_id,
       automation_recipients.automation_id,
       automation_recipients.enrollment_number,
       automation_recipients.attempts
FROM automation_recipients
JOIN automation_enrollments ON automation_enrollments.org_id = automation_recipients.org_id
AND automation_enrollments.end_user_id = automation_recipients.end_user_id
AND automation_enrollments.automation_id = automation_recipients.automation_id
AND automation_enrollments.number = automation_recipients.enrollment_number
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.status = 'processing'
  AND automation_recipients.lease_expires_at < clock_timestamp()
ORDER BY automation_recipients.id
LIMIT :limit::INTEGER
FOR
UPDATE OF automation_enrollments,
          automation_recipients SKIP LOCKED;
