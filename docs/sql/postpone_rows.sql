-- postpone_rows
-- halo_engine/journey/record_pending.py
-- Parameters: row_ids bigint[], org_id uuid
UPDATE automation_recipients
SET scheduled_for=anon_1.until,
    parked_at=NULL::TIMESTAMP WITH TIME ZONE,
                                        error=NULL::VARCHAR,
                                        retry_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                                           was_due=NULL::TIMESTAMP WITH TIME ZONE,
                                                                                                             first_due=coalesce(automation_recipients.first_due, coalesce(automation_recipients.was_due, automation_recipients.scheduled_for)),
                                                                                                             failed_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                                                                                                                 tries=0::SMALLINT
FROM unnest(:row_ids::BIGINT[], '{2026-01-01T07:00:00+00:00}'::TIMESTAMP WITH TIME ZONE[]) AS anon_1(id, until)
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND automation_recipients.id = anon_1.id
  AND automation_recipients.status = 'pending'::VARCHAR;
