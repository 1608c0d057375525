-- resubscribe
-- halo_engine/contacts/consent/resubscribe.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
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
   WHERE coalesce(named_user.id, named_lead.id) IS NOT NULL),
     held AS
  (SELECT suppressions.address AS address,
          coalesce(suppressions.bounced_at, suppressions.complained_at, NULL) AS other
   FROM suppressions
   WHERE suppressions.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND suppressions.address IN
       (SELECT named.address
        FROM named)
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
     of_no_list AS
  (SELECT named.ordinal AS ordinal,
          named.contact_id AS contact_id,
          named.address AS address,
          CAST(NULL AS UUID) AS list_id
   FROM named),
     said AS
  (SELECT of_no_list.contact_id AS contact_id,
          CAST(jsonb_build_object('lists'::VARCHAR, coalesce(jsonb_agg(DISTINCT of_no_list.list_id) FILTER (
                                                                                                            WHERE of_no_list.list_id IS NOT NULL), '[]'::jsonb), 'mail'::VARCHAR, jsonb_build_array('wanted'::VARCHAR)) AS TEXT) AS about,
          max(coalesce(NULL, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) AS sent_at
   FROM of_no_list
   GROUP BY of_no_list.contact_id),
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
  (SELECT named.ordinal AS ordinal,
          end_users.id AS contact_id
   FROM named
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND end_users.address = named.address),
     told AS
  (INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                            'silent'::VARCHAR AS anon_3,
                                                                                            concerned.contact_id AS contact_id, ARRAY['suppression'::VARCHAR] AS anon_4,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_2,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM concerned
   ORDER BY concerned.ordinal,
            concerned.contact_id RETURNING signals.id)
SELECT named.ordinal,
       named.contact_id,
       named.address
FROM named;
