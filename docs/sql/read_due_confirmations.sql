-- read_due_confirmations
-- halo_engine/mail/sending/confirmations.py
-- Parameters: org_id uuid, now timestamp with time zone, limit integer
SELECT confirmations.id,
       subscriptions.key,
       coalesce(subscriptions.name, subscriptions.key) AS name,
       subscriptions.description,
       confirmations.address,
       confirmations.attempts
FROM confirmations
JOIN subscriptions ON subscriptions.org_id = confirmations.org_id
AND subscriptions.id = confirmations.subscription_id
WHERE confirmations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND confirmations.state = 'waiting'::VARCHAR
  AND confirmations.due_at <= :now::TIMESTAMP WITH TIME ZONE
ORDER BY confirmations.due_at,
         confirmations.id
LIMIT :limit::INTEGER;
