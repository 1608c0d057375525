-- write_contacts
-- Build the statement
-- halo_engine/contacts/writing/statement.py
-- Parameters: given_rows jsonb, now timestamp with time zone, org_id uuid
WITH given AS
  (SELECT given.org_id AS org_id,
          given.org_version AS org_version,
          given.proven_until AS proven_until,
          given.ordinal AS ordinal,
          given.contact_id AS contact_id,
          given.external_id AS external_id,
          given.signed_up_at AS signed_up_at,
          given.columns AS columns,
          given.custom_fields AS custom_fields,
          given.context AS context,
          given.field_types AS field_types,
          given.fields AS fields,
          given.sent_at AS sent_at
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(org_id UUID, org_version BIGINT, proven_until DOUBLE PRECISION, ordinal INTEGER, contact_id UUID, external_id TEXT, signed_up_at TIMESTAMP WITH TIME ZONE, columns JSONB, custom_fields JSONB, context JSONB, field_types JSONB, fields TEXT, sent_at TIMESTAMP WITH TIME ZONE)
   WHERE (EXISTS
            (SELECT *
             FROM organizations
             WHERE organizations.id = given.org_id
               AND CAST(CAST(organizations.xmin AS TEXT) AS BIGINT) = given.org_version))
     AND (given.proven_until IS NULL
          OR EXTRACT(epoch
                     FROM coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < given.proven_until)),
     matched AS
  (SELECT given.ordinal AS ordinal,
          given.org_id AS org_id,
          coalesce(anon_2.id, anon_3.id) AS id,
          anon_3.address AS address
   FROM given
   LEFT OUTER JOIN LATERAL
     (SELECT known.id AS id,
             NULL AS address
      FROM end_users AS known
      WHERE known.org_id = given.org_id
        AND known.external_id = given.external_id
      LIMIT 1) AS anon_2 ON true
   LEFT OUTER JOIN LATERAL
     (SELECT namesake.id AS id,
             namesake.address AS address
      FROM end_users AS namesake
      WHERE anon_2.id IS NULL
        AND namesake.org_id = given.org_id
        AND namesake.address = lower((given.columns ->> 'email'))
        AND namesake.external_id IS NULL
      ORDER BY namesake.created_at,
               namesake.id
      LIMIT 1) AS anon_3 ON true
   WHERE coalesce(anon_2.id, anon_3.id) IS NOT NULL
   ORDER BY coalesce(anon_2.id, anon_3.id)),
before AS
  (SELECT matched.ordinal AS ordinal,
          locked.stored AS stored
   FROM matched
   LEFT OUTER JOIN LATERAL
     (SELECT contact AS stored
      FROM end_users AS contact
      WHERE contact.org_id = matched.org_id
        AND contact.id = matched.id
        AND (matched.address IS NULL
             OR contact.address = matched.address
             AND contact.external_id IS NULL)
        FOR
        UPDATE) AS locked ON true), merged AS
  (SELECT given.ordinal AS ordinal,
          given.org_id AS org_id,
          given.field_types AS field_types,
          coalesce((before.stored).id, uuid7()) AS id,
          fresh AS fresh,
          coalesce((before.stored).created_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) AS created_at,
          CASE
              WHEN ((before.stored).id IS NULL) THEN least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))
              ELSE least((before.stored).first_seen, least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())))
          END AS first_seen,
          CASE
              WHEN ((before.stored).id IS NULL) THEN least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))
              ELSE greatest((before.stored).last_seen, least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())))
          END AS last_seen, (before.stored).id IS NULL AS created, (before.stored).id IS NOT NULL
   AND (before.stored).external_id IS NULL
   AND given.external_id IS NOT NULL AS promoted,
                                        array_remove(ARRAY[CASE
                                                               WHEN (fresh.name IS DISTINCT
                                                                     FROM (before.stored).name) THEN 'name'
                                                           END, CASE
                                                                    WHEN (fresh.email IS DISTINCT
                                                                          FROM (before.stored).email) THEN 'email'
                                                                END, CASE
                                                                         WHEN (fresh.signed_up_at IS DISTINCT
                                                                               FROM (before.stored).signed_up_at) THEN 'signed_up_at'
                                                                     END, CASE
                                                                              WHEN (fresh.renewal_date IS DISTINCT
                                                                                    FROM (before.stored).renewal_date) THEN 'renewal_date'
                                                                          END, CASE
                                                                                   WHEN (fresh.renewal_status IS DISTINCT
                                                                                         FROM (before.stored).renewal_status) THEN 'renewal_status'
                                                                               END, CASE
                                                                                        WHEN (fresh.contract_term IS DISTINCT
                                                                                              FROM (before.stored).contract_term) THEN 'contract_term'
                                                                                    END, CASE
                                                                                             WHEN (fresh.payment_terms IS DISTINCT
                                                                                                   FROM (before.stored).payment_terms) THEN 'payment_terms'
                                                                                         END, CASE
                                                                                                  WHEN (fresh.on_contract IS DISTINCT
                                                                                                        FROM (before.stored).on_contract) THEN 'on_contract'
                                                                                              END, CASE
                                                                                                       WHEN (fresh.mrr IS DISTINCT
                                                                                                             FROM (before.stored).mrr) THEN 'mrr'
                                                                                                   END, CASE
                                                                                                            WHEN (fresh.arr IS DISTINCT
                                                                                                                  FROM (before.stored).arr) THEN 'arr'
                                                                                                        END, CASE
                                                                                                                 WHEN ((before.stored).id IS NOT NULL
                                                                                                                       AND (before.stored).external_id IS NULL
                                                                                                                       AND given.external_id IS NOT NULL) THEN 'external_id'
                                                                                                             END, CASE
                                                                                                                      WHEN ((before.stored).id IS NOT NULL
                                                                                                                            AND (before.stored).external_id IS NULL
                                                                                                                            AND given.external_id IS NOT NULL) THEN 'contact_type'
                                                                                                                  END], NULL) ||
     (SELECT coalesce(array_agg('custom:' || each.key), ARRAY[]::TEXT[]) AS coalesce_1
      FROM jsonb_each(given.custom_fields) AS each
      WHERE fresh.custom_fields[each.key] IS DISTINCT
        FROM (before.stored).custom_fields[each.key]) AS changed,
                                        fresh.context IS DISTINCT
   FROM (before.stored).context AS rest_changed,
                        CASE
                            WHEN (octet_length(CAST(fresh.custom_fields AS TEXT)) + octet_length(CAST(fresh.context AS TEXT)) > 400000::INTEGER) THEN CASE
                                                                                                                                                          WHEN (coalesce(octet_length(regexp_replace(nullif(CAST(fresh.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(fresh.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) > greatest(400000::INTEGER, coalesce(coalesce(octet_length(regexp_replace(nullif(CAST((before.stored).custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST((before.stored).context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER), 0::INTEGER))) THEN coalesce(octet_length(regexp_replace(nullif(CAST(fresh.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) + coalesce(octet_length(regexp_replace(nullif(CAST(fresh.context AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER)
                                                                                                                                                      END
                            ELSE CAST(NULL AS INTEGER)
                        END AS oversize
   FROM given
   LEFT OUTER JOIN
   before ON before.ordinal = given.ordinal
   JOIN jsonb_populate_record(before.stored, given.columns || jsonb_build_object('custom_fields', coalesce((before.stored).custom_fields || given.custom_fields, given.custom_fields), 'context', coalesce((before.stored).context || given.context, given.context), 'external_id', coalesce((before.stored).external_id, given.external_id), 'field_times', CASE
                                                                                                                                                                                                                                                                                                                                                                 WHEN (given.fields IS NULL) THEN coalesce((before.stored).field_times, '{}'::jsonb)
                                                                                                                                                                                                                                                                                                                                                                 WHEN ((before.stored).field_times IS NULL
                                                                                                                                                                                                                                                                                                                                                                       OR (before.stored).updated_at < coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds') THEN jsonb_build_object(given.fields, greatest(CAST(((before.stored).field_times ->> given.fields) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  FROM least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                                                                                                                                                                                                                                                                                                                                                                 WHEN (octet_length(CAST((before.stored).field_times AS TEXT)) > 4000::INTEGER
                                                                                                                                                                                                                                                                                                                                                                       AND coalesce(given.sent_at IS NOT NULL
                                                                                                                                                                                                                                                                                                                                                                                    AND least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < (before.stored).updated_at, false)) THEN jsonb_build_object(given.fields, greatest(CAST(((before.stored).field_times ->> given.fields) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                FROM least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT))) || jsonb_build_object('', CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   FROM (before.stored).updated_at) * 1000000::INTEGER AS BIGINT))
                                                                                                                                                                                                                                                                                                                                                                 WHEN (octet_length(CAST((before.stored).field_times AS TEXT)) > 4000::INTEGER) THEN jsonb_build_object('', CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         FROM (before.stored).updated_at) * 1000000::INTEGER AS BIGINT)) || jsonb_build_object(given.fields, greatest(CAST(((before.stored).field_times ->> given.fields) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   FROM least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                                                                                                                                                                                                                                                                                                                                                                 ELSE (before.stored).field_times || jsonb_build_object(given.fields, greatest(CAST(((before.stored).field_times ->> given.fields) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            FROM least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                                                                                                                                                                                                                                                                                                                                                             END)) AS fresh ON true
   WHERE before.ordinal IS NULL
     OR (before.stored).id IS NOT NULL
   ORDER BY given.ordinal),
                                    upserted AS
  (INSERT INTO end_users (org_id, source, updated_at, id, created_at, first_seen, last_seen, external_id, name, email, signed_up_at, renewal_date, renewal_status, contract_term, payment_terms, on_contract, mrr, arr, custom_fields, context, field_times) SELECT merged.org_id AS org_id,
                                                                                                                                                                                                                                                                    'sdk'::VARCHAR AS anon_1,
                                                                                                                                                                                                                                                                    greatest((merged.fresh).updated_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) AS greatest_1,
                                                                                                                                                                                                                                                                    merged.id AS id,
                                                                                                                                                                                                                                                                    merged.created_at AS created_at,
                                                                                                                                                                                                                                                                    merged.first_seen AS first_seen,
                                                                                                                                                                                                                                                                    merged.last_seen AS last_seen, (merged.fresh).external_id, (merged.fresh).name, (merged.fresh).email, (merged.fresh).signed_up_at, (merged.fresh).renewal_date, (merged.fresh).renewal_status, (merged.fresh).contract_term, (merged.fresh).payment_terms, (merged.fresh).on_contract, (merged.fresh).mrr, (merged.fresh).arr, (merged.fresh).custom_fields, (merged.fresh).context, (merged.fresh).field_times
   FROM merged
   WHERE merged.oversize IS NULL
   ORDER BY merged.id ON CONFLICT (org_id,
                                   id) DO UPDATE
   SET external_id = excluded.external_id,
       email = excluded.email,
       name = excluded.name,
       signed_up_at = excluded.signed_up_at,
       renewal_date = excluded.renewal_date,
       renewal_status = excluded.renewal_status,
       contract_term = excluded.contract_term,
       payment_terms = excluded.payment_terms,
       on_contract = excluded.on_contract,
       mrr = excluded.mrr,
       arr = excluded.arr,
       custom_fields = excluded.custom_fields,
       field_times = excluded.field_times,
       context = excluded.context,
       updated_at = excluded.updated_at,
       first_seen = excluded.first_seen,
       last_seen = excluded.last_seen RETURNING end_users.address),
                                    signaled AS
  (INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at) SELECT merged.org_id AS org_id,
                                                                                            CASE
                                                                                                WHEN merged.created THEN 'created'
                                                                                                WHEN merged.promoted THEN 'promoted'
                                                                                                ELSE 'changed'
                                                                                            END AS anon_4,
                                                                                            merged.id AS id,
                                                                                            CASE
                                                                                                WHEN merged.created THEN ARRAY['*']
                                                                                                ELSE merged.changed
                                                                                            END AS anon_5,
                                                                                            coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_8,
                                                                                            coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM merged
   WHERE merged.oversize IS NULL
     AND (merged.created
          OR cardinality(merged.changed) > 0::INTEGER)
   ORDER BY merged.ordinal),
                                    seen_fields AS
  (SELECT DISTINCT ON (each.key) each.key AS key,
                      each.value AS type,
                      min(written.ordinal) OVER (PARTITION BY each.key) AS ordinal
   FROM
     (SELECT merged.ordinal AS ordinal,
             merged.org_id AS org_id,
             merged.field_types AS field_types,
             merged.id AS id,
             merged.fresh AS fresh,
             merged.created_at AS created_at,
             merged.first_seen AS first_seen,
             merged.last_seen AS last_seen,
             merged.created AS created,
             merged.promoted AS promoted,
             merged.changed AS changed,
             merged.rest_changed AS rest_changed,
             merged.oversize AS oversize
      FROM merged
      WHERE merged.oversize IS NULL) AS written
   JOIN jsonb_each_text(written.field_types) AS each ON true
   ORDER BY each.key,
            each.value = 'null'::VARCHAR,
            written.ordinal),
                                    unsettled_fields AS
  (SELECT seen_fields.key AS key,
          seen_fields.type AS type,
          anon_8.type IS NULL AS is_new,
                         count(*) FILTER (
                                          WHERE anon_8.type IS NULL) OVER (
                                                                           ORDER BY seen_fields.ordinal, seen_fields.key) AS rank
   FROM seen_fields
   LEFT OUTER JOIN LATERAL
     (SELECT audience_fields.type AS type
      FROM audience_fields
      WHERE audience_fields.org_id =
          (SELECT :org_id::UUID AS anon_6)
        AND audience_fields.entity = 'contact'::VARCHAR
        AND audience_fields.key = seen_fields.key
      LIMIT 1) AS anon_8 ON true
   WHERE anon_8.type IS NULL
     OR anon_8.type = 'null'::VARCHAR
     AND seen_fields.type != 'null'::VARCHAR),
                                    room AS
  (SELECT locked.registered AS registered
   FROM LATERAL
     (SELECT unsettled_fields.key AS key
      FROM unsettled_fields
      WHERE unsettled_fields.is_new
        AND coalesce(
                       (SELECT audience_field_counts.registered
                        FROM audience_field_counts
                        WHERE audience_field_counts.org_id =
                            (SELECT :org_id::UUID AS anon_6)), 0::INTEGER) < 5000::INTEGER
      LIMIT 1) AS anon_9
   JOIN LATERAL
     (SELECT audience_field_counts.registered AS registered
      FROM audience_field_counts
      WHERE audience_field_counts.org_id =
          (SELECT :org_id::UUID AS anon_6)
        FOR
        UPDATE) AS locked ON true),
                                    registered AS
  (INSERT INTO audience_fields (org_id, entity, key, type, first_seen_at) SELECT
     (SELECT :org_id::UUID AS anon_6) AS anon_6,
                                                                                 'contact'::VARCHAR AS anon_7,
                                                                                 unsettled_fields.key AS key,
                                                                                 unsettled_fields.type AS type,
                                                                                 coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_8
   FROM unsettled_fields
   WHERE NOT unsettled_fields.is_new
     OR unsettled_fields.rank <= 5000::INTEGER - coalesce(
                                                            (SELECT room.registered
                                                             FROM room), coalesce(
                                                                                    (SELECT audience_field_counts.registered
                                                                                     FROM audience_field_counts
                                                                                     WHERE audience_field_counts.org_id =
                                                                                         (SELECT :org_id::UUID AS anon_6)), 0::INTEGER))
   ORDER BY unsettled_fields.key ON CONFLICT (org_id,
                                              entity,
                                              key) DO UPDATE
   SET type = excluded.type
   WHERE audience_fields.type = 'null'::VARCHAR RETURNING audience_fields.key),
                                    newly_registered AS
  (SELECT count(*) AS number
   FROM registered
   JOIN unsettled_fields ON registered.key = unsettled_fields.key
   WHERE unsettled_fields.is_new),
                                    first_counted AS
  (INSERT INTO audience_field_counts (org_id, registered) SELECT
     (SELECT :org_id::UUID AS anon_6) AS anon_6,
                                                                 newly_registered.number AS number
   FROM newly_registered
   WHERE newly_registered.number > 0::INTEGER
     AND NOT (EXISTS
                (SELECT *
                 FROM audience_field_counts
                 WHERE audience_field_counts.org_id =
                     (SELECT :org_id::UUID AS anon_6)))),
                                    counted_fields AS
  (UPDATE audience_field_counts
   SET registered=(audience_field_counts.registered +
                     (SELECT newly_registered.number
                      FROM newly_registered))
   WHERE audience_field_counts.org_id =
       (SELECT :org_id::UUID AS anon_6)
     AND
       (SELECT newly_registered.number
        FROM newly_registered) > 0::INTEGER)
SELECT merged.ordinal,
       merged.id,
       merged.created,
       merged.promoted,
       merged.changed,
       merged.oversize,

  (SELECT array_agg(unsettled_fields.key
                    ORDER BY unsettled_fields.key) AS array_agg_1
   FROM unsettled_fields
   WHERE unsettled_fields.is_new
     AND unsettled_fields.rank > 5000::INTEGER - coalesce(
                                                            (SELECT room.registered
                                                             FROM room), coalesce(
                                                                                    (SELECT audience_field_counts.registered
                                                                                     FROM audience_field_counts
                                                                                     WHERE audience_field_counts.org_id =
                                                                                         (SELECT :org_id::UUID AS anon_6)), 0::INTEGER))) AS left_out,
       merged.created_at,
       merged.first_seen,
       merged.last_seen,
       CASE
           WHEN (merged.oversize IS NULL) THEN greatest((merged.fresh).updated_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))
           ELSE (merged.fresh).updated_at
       END AS updated_at, (merged.fresh).external_id AS external_id, (merged.fresh).last_contacted_at AS last_contacted_at
FROM merged
ORDER BY merged.ordinal;
