-- end_rows_of_runs
-- halo_engine/journey/record_exits.py
-- Parameters: now timestamp with time zone, contact_ids uuid[], series_ids uuid[], org_id uuid
WITH ended AS
  (UPDATE automation_enrollments
   SET ended_at=:now::TIMESTAMP WITH TIME ZONE,
                                          exit_reason=anon_1.reason
   FROM unnest(:contact_ids::UUID[], :series_ids::UUID[], '{1}'::INTEGER[], '{replied}'::TEXT[]) AS anon_1(end_user_id, automation_id, number, reason)
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_enrollments.automation_id = anon_1.automation_id
     AND automation_enrollments.end_user_id = anon_1.end_user_id
     AND automation_enrollments.number = anon_1.number
     AND automation_enrollments.ended_at IS NULL
     AND anon_1.reason IS NOT NULL RETURNING automation_enrollments.end_user_id,
                                             automation_enrollments.automation_id,
                                             automation_enrollments.number,
                                             automation_enrollments.exit_reason)
UPDATE automation_recipients
SET status='exited'::VARCHAR,
    exit_reason=ended.exit_reason,
    finished_at=:now::TIMESTAMP WITH TIME ZONE,
                                          lease_token=NULL::UUID,
                                          lease_expires_at=NULL::TIMESTAMP WITH TIME ZONE
FROM ended
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_3)
  AND automation_recipients.end_user_id = ended.end_user_id
  AND automation_recipients.automation_id = ended.automation_id
  AND automation_recipients.status IN ('pending',
                                       'processing');
