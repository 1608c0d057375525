-- rehearsal_find_mail
-- halo_engine/rehearsal/mails.py
-- Parameters: org_id uuid, series_key text, contact_name text
SELECT messages.message_id
FROM messages,
     automations,
     automation_steps,
     end_users
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.org_id = messages.org_id
  AND automations.id = messages.automation_id
  AND automations.key = :series_key::VARCHAR
  AND automation_steps.org_id = messages.org_id
  AND automation_steps.id = messages.step_id
  AND automation_steps.key = 'welcome'::VARCHAR
  AND end_users.org_id = messages.org_id
  AND end_users.id = messages.end_user_id
  AND (end_users.external_id = :contact_name::VARCHAR
       OR end_users.external_id IS NULL
       AND end_users.address = :contact_name::VARCHAR)
ORDER BY messages.recipient_id DESC
LIMIT 1::INTEGER;
