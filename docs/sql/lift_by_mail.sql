-- lift_by_mail
-- halo_engine/contacts/consent/choosing.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.recipient_id AS recipient_id,
          given.list_id AS list_id
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, recipient_id BIGINT, list_id UUID)),
     found AS
  (SELECT given.ordinal AS ordinal,
          end_users.id AS contact_id,
          lower(mail_readers.to_address) AS address,
          CAST(given.list_id AS TEXT) AS list,
          given.list_id AS list_id
   FROM given
   JOIN
     (SELECT messages.org_id AS org_id,
             messages.recipient_id AS recipient_id,
             messages.end_user_id AS end_user_id,
             messages.to_address AS to_address
      FROM messages
      UNION ALL SELECT former_mails.org_id AS org_id,
                       former_mails.recipient_id AS recipient_id,
                       former_mails.end_user_id AS end_user_id,
                       former_mails.to_address AS to_address
      FROM former_mails) AS mail_readers ON mail_readers.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND mail_readers.recipient_id = given.recipient_id
   JOIN end_users ON end_users.org_id = mail_readers.org_id
   AND end_users.id = mail_readers.end_user_id), held AS
  (SELECT suppressions.address AS address,
          coalesce(suppressions.bounced_at, NULL) AS other
   FROM suppressions
   WHERE suppressions.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND suppressions.address IN
       (SELECT found.address
        FROM found)
     AND (suppressions.unsubscribed_at IS NOT NULL
          OR suppressions.complained_at IS NOT NULL)
   ORDER BY suppressions.address
   FOR UPDATE),
                                                 gone AS
  (DELETE
   FROM suppressions USING held
   WHERE suppressions.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND suppressions.address = held.address
     AND held.other IS NULL RETURNING suppressions.address),
                                                 kept AS
  (UPDATE suppressions
   SET unsubscribed_at=CASE
                           WHEN (coalesce(suppressions.bounced_at, NULL) IS NULL) THEN suppressions.unsubscribed_at
                           ELSE NULL
                       END,
                       complained_at=CASE
                                         WHEN (coalesce(suppressions.bounced_at, NULL) IS NULL) THEN suppressions.complained_at
                                         ELSE NULL
                                     END
   FROM held
   WHERE suppressions.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND suppressions.address = held.address
     AND held.other IS NOT NULL),
                                                 noted_namesakes AS
  (INSERT INTO pass_notes (org_id, end_user_id, namesakes) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                  end_users.id AS id,
                                                                  true AS anon_2
   FROM end_users
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND end_users.address IN
       (SELECT gone.address
        FROM gone)),
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
                                                                                            'silent'::VARCHAR AS anon_3,
                                                                                            concerned.contact_id AS contact_id, ARRAY['suppression'::VARCHAR] AS anon_4,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM concerned
   ORDER BY concerned.ordinal,
            concerned.contact_id RETURNING signals.id)
SELECT found.ordinal,
       found.contact_id,
       found.address,
       found.list,
       found.list_id
FROM found;
