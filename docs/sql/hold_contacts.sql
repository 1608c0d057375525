-- hold_contacts
-- halo_engine/contacts/consent/list_order.py
-- Parameters: given_rows jsonb, org_id uuid
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.contact AS contact
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, contact TEXT)),
     named AS
  (SELECT given.ordinal AS ordinal,
          coalesce(named_user.id, named_lead.id) AS contact_id,
          coalesce(named_user.address, named_lead.address) AS address
   FROM given
   LEFT OUTER JOIN LATERAL
     (SELECT end_users.id AS id,
             end_users.address AS address
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND end_users.external_id = given.contact
      LIMIT 1::INTEGER) AS named_user ON true
   LEFT OUTER JOIN LATERAL
     (SELECT end_users.id AS id,
             end_users.address AS address
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND named_user.id IS NULL
        AND end_users.external_id IS NULL
        AND end_users.address = lower(given.contact)
      LIMIT 1::INTEGER) AS named_lead ON true
   WHERE coalesce(named_user.id, named_lead.id) IS NOT NULL)
SELECT end_users.id
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.id IN
    (SELECT named.contact_id
     FROM named)
ORDER BY end_users.id
FOR
UPDATE;
