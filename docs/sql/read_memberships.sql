-- read_memberships
-- halo_engine/answers/reports/profile.py
-- Parameters: org_id uuid, contact_id uuid
SELECT latest.series,
       latest.number,
       latest.enrolled_at,
       latest.ended_at,
       latest.exit_reason,
       latest.step,
       latest.scheduled_for
FROM
  (SELECT automations.key AS series,
          automation_enrollments.number AS number,
          automation_enrollments.created_at AS enrolled_at,
          automation_enrollments.ended_at AS ended_at,
          automation_enrollments.exit_reason AS exit_reason,
          automation_steps.key AS step,
          automation_recipients.scheduled_for AS scheduled_for,
          row_number() OVER (PARTITION BY automation_enrollments.automation_id
                             ORDER BY automation_enrollments.number DESC) AS rank
   FROM automation_enrollments
   JOIN automations ON automations.org_id = automation_enrollments.org_id
   AND automations.id = automation_enrollments.automation_id
   LEFT OUTER JOIN automation_recipients ON automation_recipients.org_id = automation_enrollments.org_id
   AND automation_recipients.end_user_id = automation_enrollments.end_user_id
   AND automation_recipients.automation_id = automation_enrollments.automation_id
   AND automation_recipients.enrollment_number = automation_enrollments.number
   AND automation_recipients.status IN ('pending',
                                        'processing')
   LEFT OUTER JOIN automation_steps ON automation_steps.org_id = automation_recipients.org_id
   AND automation_steps.id = automation_recipients.step_id
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND automation_enrollments.end_user_id = :contact_id::UUID) AS latest
WHERE latest.rank = 1::INTEGER
ORDER BY latest.series;
