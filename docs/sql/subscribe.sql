-- subscribe
-- halo_engine/contacts/consent/lists.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.contact AS contact,
          given.list AS list,
          given.sent_at AS sent_at,
          given.confirmed AS confirmed,
          given.day AS day
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, contact TEXT, list TEXT, sent_at TIMESTAMP WITH TIME ZONE, confirmed BOOLEAN, day DATE)),
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
          named.address AS address,
          given.list AS list,
          given.sent_at AS sent_at,
          given.day AS day,
          coalesce(subscriptions.double_opt_in
                   AND given.confirmed IS NOT true
                   AND NOT (EXISTS
                              (SELECT *
                               FROM subscription_members
                               WHERE subscription_members.org_id =
                                   (SELECT :org_id::UUID AS anon_1)
                                 AND subscription_members.end_user_id = named.contact_id
                                 AND subscription_members.subscription_id = subscriptions.id)), false) AS asks,
          subscriptions.id AS list_id,
          end_users.field_times AS field_times,
          end_users.updated_at AS updated_at
   FROM named
   JOIN given ON given.ordinal = named.ordinal
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND end_users.id = named.contact_id
   LEFT OUTER JOIN subscriptions ON subscriptions.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND subscriptions.key = given.list), sound AS
  (SELECT found.ordinal AS ordinal,
          found.contact_id AS contact_id,
          found.address AS address,
          found.list AS list,
          found.sent_at AS sent_at,
          found.day AS day,
          found.asks AS asks,
          found.list_id AS list_id,
          found.field_times AS field_times,
          found.updated_at AS updated_at
   FROM found
   WHERE found.list_id IS NOT NULL
     AND (NOT found.asks
          OR found.address IS NOT NULL)
     AND NOT (coalesce(found.sent_at IS NOT NULL
                       AND least(found.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < found.updated_at, false)
              AND ((EXISTS
                      (SELECT note.key
                       FROM jsonb_each_text(found.field_times) AS note
                       WHERE ((CAST(nullif(note.key, ''::VARCHAR) AS JSONB))['lists'::TEXT] ? CAST(found.list_id AS TEXT))
                         AND CAST(note.value AS BIGINT) > CAST(EXTRACT(epoch
                                                                       FROM least(found.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                   OR least(found.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                   OR coalesce(CAST((found.field_times ->> ''::TEXT) AS BIGINT) > CAST(EXTRACT(epoch
                                                                                               FROM least(found.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT), false))
              OR coalesce(found.sent_at IS NOT NULL
                          AND least(found.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < found.updated_at, false)
              AND ((EXISTS
                      (SELECT note.key
                       FROM jsonb_each_text(found.field_times) AS note
                       WHERE ((CAST(nullif(note.key, ''::VARCHAR) AS JSONB))['mail'::TEXT] ? 'left'::VARCHAR)
                         AND CAST(note.value AS BIGINT) > CAST(EXTRACT(epoch
                                                                       FROM least(found.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                   OR least(found.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                   OR coalesce(CAST((found.field_times ->> ''::TEXT) AS BIGINT) > CAST(EXTRACT(epoch
                                                                                               FROM least(found.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT), false)))),
                                        joins AS
  (SELECT sound.ordinal AS ordinal,
          sound.contact_id AS contact_id,
          sound.address AS address,
          sound.list AS list,
          sound.sent_at AS sent_at,
          sound.day AS day,
          sound.asks AS asks,
          sound.list_id AS list_id,
          sound.field_times AS field_times,
          sound.updated_at AS updated_at
   FROM sound
   WHERE NOT sound.asks),
                                        joined AS
  (INSERT INTO subscription_members (org_id, end_user_id, subscription_id, subscribed_at) SELECT DISTINCT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                          joins.contact_id AS contact_id,
                                                                                                          joins.list_id AS list_id,
                                                                                                          coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM joins
   ORDER BY joins.contact_id,
            joins.list_id ON CONFLICT DO NOTHING RETURNING subscription_members.end_user_id,
                                                           subscription_members.subscription_id),
                                        no_longer_pending AS
  (DELETE
   FROM pending_members USING joins
   WHERE pending_members.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND pending_members.end_user_id = joins.contact_id
     AND pending_members.subscription_id = joins.list_id),
                                        held AS
  (SELECT suppressions.address AS address,
          coalesce(suppressions.bounced_at, suppressions.complained_at, NULL) AS other
   FROM suppressions
   WHERE suppressions.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND suppressions.address IN
       (SELECT joins.address
        FROM joins)
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
  (SELECT sound.contact_id AS contact_id,
          CAST(jsonb_build_object('lists'::VARCHAR, coalesce(jsonb_agg(DISTINCT sound.list_id) FILTER (
                                                                                                       WHERE sound.list_id IS NOT NULL), '[]'::jsonb), 'mail'::VARCHAR, CASE
                                                                                                                                                                            WHEN bool_and(sound.asks) THEN '[]'::jsonb
                                                                                                                                                                            ELSE jsonb_build_array('wanted'::VARCHAR)
                                                                                                                                                                        END) AS TEXT) AS about,
          max(coalesce(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) AS sent_at
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
  (SELECT DISTINCT joins.ordinal AS ordinal,
                   joins.contact_id AS contact_id
   FROM joins),
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
            named_lists.contact_id),
                                        asked AS
  (SELECT sound.ordinal AS ordinal,
          sound.contact_id AS contact_id,
          sound.address AS address,
          sound.list AS list,
          sound.sent_at AS sent_at,
          sound.day AS day,
          sound.asks AS asks,
          sound.list_id AS list_id,
          sound.field_times AS field_times,
          sound.updated_at AS updated_at
   FROM sound
   WHERE sound.asks),
                                        waiting AS
  (INSERT INTO pending_members (org_id, end_user_id, subscription_id, asked_at) SELECT DISTINCT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                asked.contact_id AS contact_id,
                                                                                                asked.list_id AS list_id,
                                                                                                coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM asked
   ORDER BY asked.contact_id,
            asked.list_id ON CONFLICT (org_id,
                                       end_user_id,
                                       subscription_id) DO UPDATE
   SET asked_at = excluded.asked_at),
                                        mailed AS
  (INSERT INTO confirmations (org_id, end_user_id, address, subscription_id, day, asked_at, due_at) SELECT DISTINCT ON (asked.address,
                                                                                                                        asked.list_id,
                                                                                                                        asked.day)
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                                       asked.contact_id AS contact_id,
                                                                                                                       asked.address AS address,
                                                                                                                       asked.list_id AS list_id,
                                                                                                                       asked.day AS day,
                                                                                                                       coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1,
                                                                                                                       coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM asked
   ORDER BY asked.address,
            asked.list_id,
            asked.day,
            asked.contact_id ON CONFLICT (org_id,
                                          address,
                                          subscription_id,
                                          day) DO UPDATE
   SET end_user_id = excluded.end_user_id,
       asked_at = excluded.asked_at,
       state = excluded.state,
       due_at = excluded.due_at
   WHERE confirmations.state = 'dropped'::VARCHAR)
SELECT found.ordinal,
       found.contact_id,
       found.address,
       found.list,
       found.sent_at,
       found.day,
       found.asks,
       found.list_id,
       found.field_times,
       found.updated_at
FROM found;
