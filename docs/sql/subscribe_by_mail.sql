-- subscribe_by_mail
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
   JOIN end_users ON end_users.org_id = mail_readers.org_id
   AND end_users.id = mail_readers.end_user_id), joined AS
  (INSERT INTO subscription_members (org_id, end_user_id, subscription_id, subscribed_at) SELECT DISTINCT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                          found.contact_id AS contact_id,
                                                                                                          found.list_id AS list_id,
                                                                                                          coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM found
   ORDER BY found.contact_id,
            found.list_id ON CONFLICT DO NOTHING RETURNING subscription_members.end_user_id,
                                                           subscription_members.subscription_id),
                                                 no_longer_pending AS
  (DELETE
   FROM pending_members USING found
   WHERE pending_members.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND pending_members.end_user_id = found.contact_id
     AND pending_members.subscription_id = found.list_id),
                                                 held AS
  (SELECT suppressions.address AS address,
          coalesce(suppressions.bounced_at, suppressions.complained_at, NULL) AS other
   FROM suppressions
   WHERE suppressions.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND suppressions.address IN
       (SELECT found.address
        FROM found)
     AND suppressions.unsubscribed_at IS NOT NULL
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
                           WHEN (coalesce(suppressions.bounced_at, suppressions.complained_at, NULL) IS NULL) THEN suppressions.unsubscribed_at
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
                                                 said AS
  (SELECT found.contact_id AS contact_id,
          CAST(jsonb_build_object('lists'::VARCHAR, coalesce(jsonb_agg(DISTINCT found.list_id) FILTER (
                                                                                                       WHERE found.list_id IS NOT NULL), '[]'::jsonb), 'mail'::VARCHAR, jsonb_build_array('wanted'::VARCHAR)) AS TEXT) AS about,
          max(coalesce(NULL, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) AS sent_at
   FROM found
   GROUP BY found.contact_id),
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
  (SELECT DISTINCT found.ordinal AS ordinal,
                   found.contact_id AS contact_id
   FROM found),
                                                 told AS
  (INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                            CASE
                                                                                                WHEN (named_lists.list_keys IS NULL) THEN 'silent'::VARCHAR
                                                                                                ELSE 'changed'::VARCHAR
                                                                                            END AS anon_3,
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
         UNION ALL SELECT joined.end_user_id AS end_user_id,
                          NULL AS anon_4,
                          'list:'::VARCHAR || subscriptions.key AS anon_5
         FROM joined
         JOIN subscriptions ON subscriptions.org_id =
           (SELECT :org_id::UUID AS anon_1)
         AND subscriptions.id = joined.subscription_id) AS said
      GROUP BY said.contact_id) AS named_lists
   JOIN unnest(named_lists.ordinals) AS anon_6(ordinal) ON true
   ORDER BY anon_6.ordinal,
            named_lists.contact_id)
SELECT found.ordinal,
       found.contact_id,
       found.address,
       found.list,
       found.list_id
FROM found;
