-- find_mail_troubles
-- halo_engine/answers/operations/mail_troubles.py
-- Parameters: org_id uuid, mail_state text, since timestamp with time zone
SELECT automations.key AS series,
       messages.state,
       messages.error AS reason,
       count(*) AS mails,
       max(messages.intended_at) AS latest
FROM messages
JOIN automations ON automations.org_id = messages.org_id
AND automations.id = messages.automation_id
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.state IN (:mail_state::VARCHAR,
                         'unknown'::VARCHAR)
  AND messages.intended_at >= :since::TIMESTAMP WITH TIME ZONE
GROUP BY automations.key,
         messages.state,
         messages.error
ORDER BY mails DESC,
         automations.key,
         messages.state,
         messages.error;
