-- hold_reader
-- halo_engine/contacts/consent/choosing.py
-- Parameters: org_id uuid, row_id bigint
SELECT end_users.id
FROM messages
JOIN end_users ON end_users.org_id = messages.org_id
AND end_users.id = messages.end_user_id
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.recipient_id = :row_id::BIGINT
  FOR
  UPDATE OF end_users;
