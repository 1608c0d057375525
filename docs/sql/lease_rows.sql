-- lease_rows
-- halo_engine/journey/record_pending.py
-- Parameters: lease_token uuid, org_id uuid, row_ids bigint[]
UPDATE automation_recipients
SET status='processing'::VARCHAR,
    scheduled_for=coalesce(automation_recipients.was_due, automation_recipients.scheduled_for),
    lease_token=:lease_token::UUID,
    lease_expires_at=(clock_timestamp() + make_interval(0::INTEGER, 0::INTEGER, 0::INTEGER, 0::INTEGER, 0::INTEGER, 0::INTEGER, 300::INTEGER)),
    attempts=(automation_recipients.attempts + 1::SMALLINT),
    parked_at=NULL::TIMESTAMP WITH TIME ZONE,
                                        error=NULL::VARCHAR,
                                        retry_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                                           was_due=NULL::TIMESTAMP WITH TIME ZONE
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.id = ANY (:row_ids::BIGINT[])
  AND automation_recipients.status = 'pending'::VARCHAR;
