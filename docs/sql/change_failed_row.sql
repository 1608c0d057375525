-- change_failed_row
-- halo_engine/mail/sending/retrying/writing.py
-- Parameters: org_id uuid, row_id bigint
UPDATE automation_recipients
SET reason=NULL::VARCHAR
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.id = :row_id::BIGINT
  AND automation_recipients.status = 'failed'::VARCHAR;
