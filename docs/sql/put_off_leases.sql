-- put_off_leases
-- halo_engine/mail/sending/leases.py
-- Parameters: org_id uuid, row_ids bigint[]
UPDATE automation_recipients
SET lease_expires_at=(clock_timestamp() + INTERVAL '0 days 60 seconds')
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.id = ANY (:row_ids::BIGINT[]);
