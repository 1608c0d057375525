-- copy_runs_of_lead
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: lead_ids uuid[], contact_ids uuid[], org_id uuid
INSERT INTO automation_enrollments (org_id, automation_id, end_user_id, number, id, company_seat, created_at, ended_at, exit_reason, left_audience, outside_by_definition, goal_held, converted_at, series_version, event_properties, address, holds_address)
SELECT automation_enrollments.org_id,
       automation_enrollments.automation_id,
       anon_1."user",
       automation_enrollments.number,
       automation_enrollments.id,
       NULL AS anon_2,
       automation_enrollments.created_at,
       automation_enrollments.ended_at,
       automation_enrollments.exit_reason,
       automation_enrollments.left_audience,
       automation_enrollments.outside_by_definition,
       automation_enrollments.goal_held,
       automation_enrollments.converted_at,
       automation_enrollments.series_version,
       automation_enrollments.event_properties,
       automation_enrollments.address,
       automation_enrollments.holds_address
FROM automation_enrollments,
     unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user")
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_3)
  AND automation_enrollments.end_user_id = anon_1.lead
ORDER BY anon_1."user";
