-- gather_kept_values
-- halo_engine/mail/composing/values.py
-- Parameters: contact_ids uuid[], series_ids uuid[], org_id uuid
SELECT anon_1.end_user_id,
       anon_1.automation_id,
       anon_1.number,
       automation_enrollments.event_properties -> 'plan'::VARCHAR AS value_0
FROM unnest(:contact_ids::UUID[], :series_ids::UUID[], '{1}'::INTEGER[]) AS anon_1(end_user_id, automation_id, number)
JOIN automation_enrollments ON automation_enrollments.org_id =
  (SELECT :org_id::UUID AS anon_2)
AND automation_enrollments.automation_id = anon_1.automation_id
AND automation_enrollments.end_user_id = anon_1.end_user_id
AND automation_enrollments.number = anon_1.number;
