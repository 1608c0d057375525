-- leave_seats
-- halo_engine/journey/record_exits.py
-- Parameters: contact_ids uuid[], series_ids uuid[], org_id uuid
UPDATE automation_enrollments
SET company_seat=NULL
FROM unnest(:contact_ids::UUID[], :series_ids::UUID[], '{1}'::INTEGER[], '{5a000000000000000000000000000003}'::UUID[]) AS anon_1(end_user_id, automation_id, number, seat)
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND automation_enrollments.automation_id = anon_1.automation_id
  AND automation_enrollments.end_user_id = anon_1.end_user_id
  AND automation_enrollments.number = anon_1.number
  AND automation_enrollments.ended_at IS NULL;
