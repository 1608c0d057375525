-- hold_row_to_send
-- halo_engine/mail/sending/capped.py
-- Parameters: org_id uuid, row_id bigint
SELECT automation_recipients.id
FROM automation_recipients
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.id = :row_id::BIGINT
  FOR SHARE;
