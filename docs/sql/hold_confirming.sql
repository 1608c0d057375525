-- hold_confirming
-- halo_engine/contacts/consent/confirming.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.confirmation_id AS confirmation_id
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, confirmation_id BIGINT))
SELECT end_users.id
FROM given
JOIN confirmations ON confirmations.org_id =
  (SELECT :org_id::UUID AS anon_1)
AND confirmations.id = given.confirmation_id
JOIN pending_members ON pending_members.org_id = confirmations.org_id
AND pending_members.subscription_id = confirmations.subscription_id
JOIN end_users ON end_users.org_id = pending_members.org_id
AND end_users.id = pending_members.end_user_id
WHERE pending_members.org_id = confirmations.org_id
  AND pending_members.subscription_id = confirmations.subscription_id
  AND pending_members.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
  AND confirmations.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
  AND end_users.address = confirmations.address
ORDER BY end_users.id
FOR
UPDATE OF end_users;
