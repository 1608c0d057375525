-- find_known_users
-- halo_engine/contacts/finding.py
-- Parameters: given_rows jsonb, org_id uuid
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.contact AS contact
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, contact TEXT))
SELECT end_users.external_id
FROM given
JOIN end_users ON end_users.org_id =
  (SELECT :org_id::UUID AS anon_1)
AND end_users.external_id = given.contact;
