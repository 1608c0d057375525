-- unsubscribe_by_mail
-- halo_engine/contacts/consent/lists.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.recipient_id AS recipient_id,
          given.list_id AS list_id
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, recipient_id BIGINT, list_id UUID)),
     found AS
  (SELECT given.ordinal AS ordinal,
          end_users.id AS contact_id,
          end_users.address AS address,
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
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND end_users.id = mail_readers.end_user_id
   UNION SELECT given.ordinal AS ordinal,
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
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND end_users.id = mail_readers.end_user_id), sound AS
  (SELECT found.ordinal AS ordinal,
          found.contact_id AS contact_id,
          found.address AS address,
          found.list AS list,
          found.list_id AS list_id
   FROM found
   WHERE found.list IS NULL
     OR found.list_id IS NOT NULL),
                                                 left_lists AS
  (DELETE
   FROM subscription_members USING sound
   WHERE subscription_members.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND subscription_members.end_user_id = sound.contact_id
     AND (sound.list IS NULL
          OR subscription_members.subscription_id = sound.list_id) RETURNING subscription_members.end_user_id,
                                                                             subscription_members.subscription_id),
                                                 remembered AS
  (INSERT INTO former_members (org_id, end_user_id, subscription_id, left_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                     left_lists.end_user_id AS end_user_id,
                                                                                     left_lists.subscription_id AS subscription_id,
                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM left_lists
   ORDER BY left_lists.end_user_id,
            left_lists.subscription_id ON CONFLICT (org_id,
                                                    end_user_id,
                                                    subscription_id) DO UPDATE
   SET left_at = excluded.left_at),
                                                 no_longer_pending AS
  (DELETE
   FROM pending_members USING sound
   WHERE pending_members.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND pending_members.end_user_id = sound.contact_id
     AND (sound.list IS NULL
          OR pending_members.subscription_id = sound.list_id)),
                                                 everything AS
  (SELECT sound.ordinal AS ordinal,
          sound.contact_id AS contact_id,
          sound.address AS address,
          sound.list AS list,
          sound.list_id AS list_id
   FROM sound
   WHERE sound.list IS NULL),
                                                 suppressed AS
  (INSERT INTO suppressions (org_id, address, unsubscribed_at) SELECT DISTINCT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                               everything.address AS address,
                                                                               coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS unsubscribed_at
   FROM everything
   WHERE everything.address IS NOT NULL
   ORDER BY everything.address ON CONFLICT (org_id,
                                            address) DO UPDATE
   SET unsubscribed_at = coalesce(suppressions.unsubscribed_at, excluded.unsubscribed_at)),
                                                 said AS
  (SELECT sound.contact_id AS contact_id,
          CAST(jsonb_build_object('lists'::VARCHAR, coalesce(jsonb_agg(DISTINCT sound.list_id) FILTER (
                                                                                                       WHERE sound.list_id IS NOT NULL), '[]'::jsonb), 'mail'::VARCHAR, CASE
                                                                                                                                                                            WHEN bool_or(sound.list_id IS NULL) THEN jsonb_build_array('left'::VARCHAR)
                                                                                                                                                                            ELSE '[]'::jsonb
                                                                                                                                                                        END) AS TEXT) AS about,
          max(coalesce(NULL, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) AS sent_at
   FROM sound
   GROUP BY sound.contact_id),
                                                 noting AS
  (UPDATE end_users
   SET field_times=CASE
                       WHEN (said.about IS NULL) THEN coalesce(end_users.field_times, '{}'::jsonb)
                       WHEN (end_users.field_times IS NULL
                             OR end_users.updated_at < coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds') THEN jsonb_build_object(said.about, greatest(CAST(end_users.field_times ->> said.about AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                      FROM least(said.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                       WHEN (octet_length(CAST(end_users.field_times AS TEXT)) > 4000::INTEGER
                             AND coalesce(said.sent_at IS NOT NULL
                                          AND least(said.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < end_users.updated_at, false)) THEN jsonb_build_object(said.about, greatest(CAST((end_users.field_times ->> said.about) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                     FROM least(said.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT))) || jsonb_build_object('', CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                                                                                                       FROM end_users.updated_at) * 1000000::INTEGER AS BIGINT))
                       WHEN (octet_length(CAST(end_users.field_times AS TEXT)) > 4000::INTEGER) THEN jsonb_build_object('', CAST(EXTRACT(epoch
                                                                                                                                         FROM end_users.updated_at) * 1000000::INTEGER AS BIGINT)) || jsonb_build_object(said.about, greatest(CAST((end_users.field_times ->> said.about) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                   FROM least(said.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                       ELSE end_users.field_times || jsonb_build_object(said.about, greatest(CAST((end_users.field_times ->> said.about) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                  FROM least(said.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                   END,
                   updated_at=greatest(end_users.updated_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))
   FROM said
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND end_users.id = said.contact_id),
                                                 concerned AS
  (SELECT sound.ordinal AS ordinal,
          sound.contact_id AS contact_id
   FROM sound
   UNION SELECT everything.ordinal AS ordinal,
                end_users.id AS contact_id
   FROM everything
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND end_users.address = everything.address),
                                                 told AS
  (INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                            CASE
                                                                                                WHEN (named_lists.list_keys IS NULL) THEN 'silent'::VARCHAR
                                                                                                ELSE 'changed'::VARCHAR
                                                                                            END AS anon_2,
                                                                                            named_lists.contact_id AS contact_id,
                                                                                            array_cat(ARRAY['list'::VARCHAR, 'suppression'::VARCHAR], coalesce(named_lists.list_keys, CAST(ARRAY[]::TEXT[] AS TEXT[]))) AS array_cat_1,
                                                                                            coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1,
                                                                                            coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM
     (SELECT said.contact_id AS contact_id,
             array_agg(said.ordinal
                       ORDER BY said.ordinal) FILTER (
                                                      WHERE said.ordinal IS NOT NULL) AS ordinals,
             array_agg(said.list_key
                       ORDER BY said.list_key) FILTER (
                                                       WHERE said.list_key IS NOT NULL) AS list_keys
      FROM
        (SELECT concerned.contact_id AS contact_id,
                concerned.ordinal AS ordinal,
                NULL AS list_key
         FROM concerned
         UNION ALL SELECT left_lists.end_user_id AS end_user_id,
                          NULL AS anon_3,
                          'list:'::VARCHAR || subscriptions.key AS anon_4
         FROM left_lists
         JOIN subscriptions ON subscriptions.org_id =
           (SELECT :org_id::UUID AS anon_1)
         AND subscriptions.id = left_lists.subscription_id) AS said
      GROUP BY said.contact_id) AS named_lists
   JOIN unnest(named_lists.ordinals) AS anon_5(ordinal) ON true
   ORDER BY anon_5.ordinal,
            named_lists.contact_id)
SELECT found.ordinal,
       found.contact_id,
       found.address,
       found.list,
       found.list_id
FROM found;
