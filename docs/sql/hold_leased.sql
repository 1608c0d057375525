-- hold_leased
-- halo_engine/mail/sending/leases.py
-- Parameters: org_id uuid, row_ids bigint[], lease_token uuid
SELECT automation_recipients.id,
       automation_recipients.attempts
FROM automation_recipients
JOIN automation_enrollments ON automation_enrollments.org_id = automation_recipients.org_id
AND automation_enrollments.end_user_id = automation_recipients.end_user_id
AND automation_enrollments.automation_id = automation_recipients.automation_id
AND automation_enrollments.number = automation_recipients.enrollment_number
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.id = ANY (:row_ids::BIGINT[])
  AND automation_recipients.lease_token = :lease_token::UUID
ORDER BY automation_enrollments.end_user_id,
         automation_enrollments.automation_id
FOR
UPDATE OF automation_enrollments,
          automation_recipients;
