-- read_confirmation
-- halo_engine/contacts/consent/confirming.py
-- Parameters: given_rows jsonb, now timestamp with time zone, org_id uuid
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.confirmation_id AS confirmation_id
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, confirmation_id BIGINT))
SELECT subscriptions.key AS list,
       coalesce(subscriptions.name, subscriptions.key) AS name,
       subscriptions.description,
       confirmations.address,
       EXISTS
  (SELECT pending_members.end_user_id
   FROM pending_members
   JOIN end_users ON end_users.org_id = pending_members.org_id
   AND end_users.id = pending_members.end_user_id
   WHERE pending_members.org_id = confirmations.org_id
     AND pending_members.subscription_id = confirmations.subscription_id
     AND pending_members.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
     AND confirmations.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
     AND end_users.address = confirmations.address) AS waits,
              EXISTS
  (SELECT 1::INTEGER AS anon_1
   FROM end_users
   JOIN subscription_members ON end_users.org_id = subscription_members.org_id
   AND end_users.id = subscription_members.end_user_id
   WHERE end_users.org_id = confirmations.org_id
     AND end_users.address = confirmations.address
     AND subscription_members.subscription_id = confirmations.subscription_id
     AND confirmations.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds') AS confirmed
FROM given
JOIN confirmations ON confirmations.org_id =
  (SELECT :org_id::UUID AS anon_2)
AND confirmations.id = given.confirmation_id
JOIN subscriptions ON subscriptions.org_id = confirmations.org_id
AND subscriptions.id = confirmations.subscription_id;
