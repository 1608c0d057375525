-- suppress_bounced
-- halo_engine/contacts/consent/suppression.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.contact AS contact,
          given.message_id AS message_id
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, contact TEXT, message_id TEXT)),
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
   WHERE coalesce(named_user.id, named_lead.id) IS NOT NULL),
     found AS
  (SELECT named.ordinal AS ordinal,
          named.contact_id AS contact_id,
          named.address AS address
   FROM named
   UNION ALL SELECT given.ordinal AS ordinal,
                    messages.end_user_id AS contact_id,
                    lower(messages.to_address) AS address
   FROM given
   JOIN messages ON messages.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND messages.message_id = given.message_id), suppressed AS
  (INSERT INTO suppressions (org_id, address, bounced_at) SELECT DISTINCT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                          found.address AS address,
                                                                          coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS bounced_at
   FROM found
   WHERE found.address IS NOT NULL
   ORDER BY found.address ON CONFLICT (org_id,
                                       address) DO UPDATE
   SET bounced_at = coalesce(suppressions.bounced_at, excluded.bounced_at)),
                                                concerned AS
  (SELECT found.ordinal AS ordinal,
          end_users.id AS contact_id
   FROM found
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND end_users.address = found.address),
                                                told AS
  (INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                            'silent'::VARCHAR AS anon_2,
                                                                                            concerned.contact_id AS contact_id, ARRAY['suppression'::VARCHAR] AS anon_3,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM concerned
   ORDER BY concerned.ordinal,
            concerned.contact_id RETURNING signals.id)
SELECT found.ordinal,
       found.contact_id,
       found.address
FROM found;
