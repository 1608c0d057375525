-- finish_rows
-- Build the statement that finishes rows, in the order in which they were due
-- halo_engine/journey/record_finished.py
-- Parameters: now timestamp with time zone, outcome_ids, outcome_status, outcome_reason, outcome_exit_reason, outcome_next_step_id, outcome_next_due, outcome_ends, org_id uuid
WITH done AS
  (UPDATE automation_recipients
   SET status=anon_1.status,
       reason=anon_1.reason,
       exit_reason=anon_1.exit_reason,
       finished_at=:now::TIMESTAMP WITH TIME ZONE,
                                             lease_token=NULL,
                                             lease_expires_at=NULL
   FROM unnest(:outcome_ids::TEXT[], :outcome_status::TEXT[], :outcome_reason::TEXT[], :outcome_exit_reason::TEXT[], :outcome_next_step_id::UUID[], :outcome_next_due::TIMESTAMP WITH TIME ZONE[], :outcome_ends::TEXT[]) AS anon_1(ids, status, reason, exit_reason, next_step_id, next_due, ends)
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_recipients.id = ANY (CAST(anon_1.ids AS BIGINT[]))
     AND automation_recipients.status IN ('pending',
                                          'processing') RETURNING automation_recipients.scheduled_for,
                                                                  automation_recipients.id,
                                                                  automation_recipients.automation_id,
                                                                  automation_recipients.end_user_id,
                                                                  automation_recipients.enrollment_number AS number,
                                                                  anon_1.next_step_id,
                                                                  anon_1.next_due,
                                                                  anon_1.ends),
     ended AS
  (UPDATE automation_enrollments
   SET ended_at=:now::TIMESTAMP WITH TIME ZONE,
                                          exit_reason=done.ends
   FROM done
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_enrollments.automation_id = done.automation_id
     AND automation_enrollments.end_user_id = done.end_user_id
     AND automation_enrollments.number = done.number
     AND automation_enrollments.ended_at IS NULL
     AND done.ends IS NOT NULL RETURNING automation_enrollments.end_user_id,
                                         automation_enrollments.automation_id,
                                         automation_enrollments.number,
                                         automation_enrollments.exit_reason,
                                         automation_enrollments.company_seat,
                                         automation_enrollments.holds_address,
                                         automation_enrollments.left_audience
   OR automation_enrollments.outside_by_definition AS was_outside),
     freed AS
  (INSERT INTO pass_notes (org_id, end_user_id, company_id, namesakes) SELECT CAST(
                                                                                     (SELECT :org_id::UUID AS anon_2) AS UUID) AS anon_2,
                                                                              CASE
                                                                                  WHEN (ended.holds_address
                                                                                        OR ended.was_outside) THEN ended.end_user_id
                                                                              END AS anon_3,
                                                                              ended.company_seat AS company_seat,
                                                                              ended.holds_address AS holds_address
   FROM ended
   JOIN automations ON automations.org_id =
     (SELECT :org_id::UUID AS anon_2)
   AND automations.id = ended.automation_id
   AND automations.entry_trigger = 'segment_match'::VARCHAR
   WHERE ended.holds_address
     OR ended.was_outside
     OR ended.company_seat IS NOT NULL)
INSERT INTO automation_recipients (org_id, automation_id, step_id, end_user_id, enrollment_number, scheduled_for, created_at)
SELECT
  (SELECT :org_id::UUID AS anon_2) AS anon_2,
       done.automation_id,
       done.next_step_id,
       done.end_user_id,
       done.number,
       done.next_due,
       :now::TIMESTAMP WITH TIME ZONE AS anon_4
FROM done
WHERE done.next_step_id IS NOT NULL
ORDER BY done.scheduled_for,
         done.id;
