-- unpark_rows
-- halo_engine/journey/parking.py
-- Parameters: org_id uuid
UPDATE automation_recipients
SET scheduled_for=coalesce(automation_recipients.was_due, automation_recipients.scheduled_for),
    lease_expires_at=CASE
                         WHEN (automation_recipients.status = 'processing') THEN clock_timestamp()
                         ELSE automation_recipients.lease_expires_at
                     END,
                     parked_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                         error=NULL::VARCHAR,
                                                         retry_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                                                            was_due=NULL::TIMESTAMP WITH TIME ZONE,
                                                                                                                              failed_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                                                                                                                                  tries=0::SMALLINT
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.parked_at IS NOT NULL
  AND automation_recipients.status IN ('pending',
                                       'processing') RETURNING automation_recipients.id;
