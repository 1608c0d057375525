-- hold_failed_row
-- halo_engine/mail/sending/capped.py
-- Parameters: org_id uuid, row_id bigint
SELECT automation_recipients.id
FROM automation_recipients
JOIN automation_enrollments ON automation_enrollments.org_id = automation_recipients.org_id
AND automation_enrollments.end_user_id = automation_recipients.end_user_id
AND automation_enrollments.automation_id = automation_recipients.automation_id
AND automation_enrollments.number = automation_recipients.enrollment_number
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.id = :row_id::BIGINT
  FOR
  UPDATE OF automation_enrollments,
            automation_recipients;
