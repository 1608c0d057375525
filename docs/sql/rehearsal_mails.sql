-- rehearsal_mails
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid, series_id uuid
SELECT coalesce(end_users.external_id, end_users.email) AS name,
       automation_steps.key
FROM messages
JOIN end_users ON end_users.org_id = messages.org_id
AND end_users.id = messages.end_user_id
JOIN automation_steps ON automation_steps.org_id = messages.org_id
AND automation_steps.id = messages.step_id
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.automation_id = :series_id::UUID
  AND messages.state = 'sent'::VARCHAR
ORDER BY messages.sent_at,
         messages.recipient_id;
