-- suppress_refused
-- halo_engine/mail/sending/confirmations.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.address AS address
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, address TEXT)),
     suppressed AS
  (INSERT INTO suppressions (org_id, address, bounced_at) SELECT DISTINCT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                          given.address AS address,
                                                                          coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS bounced_at
   FROM given
   WHERE given.address IS NOT NULL
   ORDER BY given.address ON CONFLICT (org_id,
                                       address) DO UPDATE
   SET bounced_at = coalesce(suppressions.bounced_at, excluded.bounced_at)),
     concerned AS
  (SELECT given.ordinal AS ordinal,
          end_users.id AS contact_id
   FROM given
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND end_users.address = given.address),
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
SELECT given.ordinal,
       given.address
FROM given;
