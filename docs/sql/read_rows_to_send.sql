-- read_rows_to_send
-- halo_engine/restoring/check.py
SELECT automation_recipients.org_id,
       automation_recipients.id,
       automation_recipients.end_user_id,
       automation_recipients.automation_id,
       automation_recipients.enrollment_number,
       automation_recipients.step_id,
       now() AS now
FROM automation_recipients
WHERE automation_recipients.status IN ('pending',
                                       'processing');
