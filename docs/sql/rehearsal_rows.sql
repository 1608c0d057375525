-- rehearsal_rows
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid, series_id uuid
SELECT coalesce(end_users.external_id, end_users.email) AS contact,
       automation_steps.key AS step,
       automation_recipients.status,
       automation_recipients.reason,
       automation_recipients.exit_reason,
       automation_recipients.scheduled_for,
       automation_recipients.created_at
FROM automation_recipients
JOIN end_users ON end_users.org_id = automation_recipients.org_id
AND end_users.id = automation_recipients.end_user_id
JOIN automation_steps ON automation_steps.org_id = automation_recipients.org_id
AND automation_steps.id = automation_recipients.step_id
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.automation_id = :series_id::UUID
ORDER BY automation_recipients.id;
