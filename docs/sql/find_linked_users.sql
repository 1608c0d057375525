-- find_linked_users
-- halo_engine/contacts/clients/links.py
-- Parameters: given_rows jsonb, org_id uuid
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.user_id AS user_id,
          given.previous_id AS previous_id
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, user_id TEXT, previous_id TEXT))
SELECT given.ordinal,
       linked_user.id,
       previous_user.id AS previous
FROM given
JOIN end_users AS linked_user ON linked_user.org_id =
  (SELECT :org_id::UUID AS anon_1)
AND linked_user.external_id = given.user_id
LEFT OUTER JOIN end_users AS previous_user ON previous_user.org_id =
  (SELECT :org_id::UUID AS anon_1)
AND previous_user.external_id = given.previous_id;
