-- release_leases
-- halo_engine/mail/sending/leases.py
-- Parameters: row_ids bigint[], org_id uuid
UPDATE automation_recipients
SET status='pending'::VARCHAR,
    scheduled_for=coalesce(anon_1.due, coalesce(automation_recipients.was_due, automation_recipients.scheduled_for)),
    lease_token=NULL::UUID,
    lease_expires_at=NULL::TIMESTAMP WITH TIME ZONE,
                                               attempts=CASE
                                                            WHEN anon_1.tried THEN automation_recipients.attempts
                                                            ELSE automation_recipients.attempts - 1::SMALLINT
                                                        END,
                                                        parked_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                                                            error=NULL::VARCHAR,
                                                                                            retry_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                                                                                               was_due=NULL::TIMESTAMP WITH TIME ZONE,
                                                                                                                                                                 first_due=CASE
                                                                                                                                                                               WHEN (anon_1.due IS NOT NULL) THEN coalesce(automation_recipients.first_due, coalesce(automation_recipients.was_due, automation_recipients.scheduled_for))
                                                                                                                                                                               ELSE automation_recipients.first_due
                                                                                                                                                                           END,
                                                                                                                                                                           failed_at=CASE
                                                                                                                                                                                         WHEN anon_1.tried THEN NULL
                                                                                                                                                                                         ELSE automation_recipients.failed_at
                                                                                                                                                                                     END,
                                                                                                                                                                                     tries=CASE
                                                                                                                                                                                               WHEN anon_1.tried THEN 0::INTEGER
                                                                                                                                                                                               ELSE automation_recipients.tries
                                                                                                                                                                                           END
FROM unnest(:row_ids::BIGINT[], '{NULL}'::TIMESTAMP WITH TIME ZONE[], '{false}'::BOOLEAN[]) AS anon_1(id, due, tried)
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND automation_recipients.id = anon_1.id
  AND automation_recipients.status = 'processing'::VARCHAR;
