-- end_rows_of_runs
-- halo_engine/journey/record_exits.py
-- Parameters: now timestamp with time zone, contact_ids uuid[], series_ids uuid[], org_id uuid
WITH ended AS
  (UPDATE automation_enrollments
   SET ended_at=:now::TIMESTAMP WITH TIME ZONE,
                                          exit_reason=anon_3.reason
   FROM unnest(:contact_ids::UUID[], :series_ids::UUID[], '{1}'::INTEGER[], '{replied}'::TEXT[]) AS anon_3(end_user_id, automation_id, number, reason)
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND automation_enrollments.automation_id = anon_3.automation_id
     AND automation_enrollments.end_user_id = anon_3.end_user_id
     AND automation_enrollments.number = anon_3.number
     AND automation_enrollments.ended_at IS NULL
     AND anon_3.reason IS NOT NULL RETURNING automation_enrollments.end_user_id,
                                             automation_enrollments.automation_id,
                                             automation_enrollments.number,
                                             automation_enrollments.exit_reason,
                                             automation_enrollments.company_seat,
                                             automation_enrollments.holds_address,
                                             automation_enrollments.left_audience
   OR automation_enrollments.outside_by_definition AS was_outside),
     freed AS
  (INSERT INTO pass_notes (org_id, end_user_id, company_id, namesakes) SELECT CAST(:org_id::UUID AS UUID) AS anon_1,
                                                                              CASE
                                                                                  WHEN (ended.holds_address
                                                                                        OR ended.was_outside) THEN ended.end_user_id
                                                                              END AS anon_2,
                                                                              ended.company_seat AS company_seat,
                                                                              ended.holds_address AS holds_address
   FROM ended
   JOIN automations ON automations.org_id =
     (SELECT :org_id::UUID AS anon_5)
   AND automations.id = ended.automation_id
   AND automations.entry_trigger = 'segment_match'::VARCHAR
   WHERE ended.holds_address
     OR ended.was_outside
     OR ended.company_seat IS NOT NULL)
UPDATE automation_recipients
SET status='exited'::VARCHAR,
    exit_reason=ended.exit_reason,
    finished_at=:now::TIMESTAMP WITH TIME ZONE,
                                          lease_token=NULL::UUID,
                                          lease_expires_at=NULL::TIMESTAMP WITH TIME ZONE
FROM ended
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_6)
  AND automation_recipients.end_user_id = ended.end_user_id
  AND automation_recipients.automation_id = ended.automation_id
  AND automation_recipients.status IN ('pending',
                                       'processing');
