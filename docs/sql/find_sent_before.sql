-- find_sent_before
-- halo_engine/mail/sending/outcomes.py
-- Parameters: org_id uuid, row_id bigint
SELECT automation_recipients.id
FROM automation_recipients
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.id = :row_id::BIGINT
  AND (EXISTS
         (SELECT *
          FROM sent_before
          WHERE sent_before.org_id = automation_recipients.org_id
            AND sent_before.end_user_id = automation_recipients.end_user_id
            AND sent_before.automation_id = automation_recipients.automation_id
            AND sent_before.enrollment_number = automation_recipients.enrollment_number
            AND sent_before.step_id = automation_recipients.step_id));
