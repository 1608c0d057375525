-- rehearsal_find_mail
-- halo_engine/rehearsal/actions/mails.py
-- Parameters: org_id uuid, contact_id uuid, series_key text
SELECT messages.message_id
FROM messages,
     automations,
     automation_steps
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.end_user_id IN (:contact_id::UUID)
  AND automations.org_id = messages.org_id
  AND automations.id = messages.automation_id
  AND automations.key = :series_key::VARCHAR
  AND automation_steps.org_id = messages.org_id
  AND automation_steps.id = messages.step_id
  AND automation_steps.key = 'welcome'::VARCHAR
ORDER BY messages.recipient_id DESC
LIMIT 1::INTEGER;
