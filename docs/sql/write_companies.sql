-- write_companies
-- halo_engine/contacts/companies/rows.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.external_id AS external_id,
          given.user_id AS user_id,
          given.columns AS columns,
          given.custom_fields AS custom_fields,
          given.field_types AS field_types,
          given.fields AS fields,
          given.sent_at AS sent_at
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, external_id TEXT, user_id TEXT, columns JSONB, custom_fields JSONB, field_types JSONB, fields TEXT, sent_at TIMESTAMP WITH TIME ZONE)),
     mover AS
  (SELECT end_users.id AS id,
          end_users.external_id AS external_id,
          end_users.company_id AS company_id,
          end_users.field_times AS field_times,
          end_users.updated_at AS updated_at
   FROM end_users
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND end_users.external_id IN
       (SELECT given.user_id
        FROM given)
   ORDER BY end_users.id
   FOR NO KEY UPDATE),
     sound AS
  (SELECT given.ordinal AS ordinal,
          given.external_id AS external_id,
          given.user_id AS user_id,
          given.columns AS columns,
          given.custom_fields AS custom_fields,
          given.field_types AS field_types,
          given.fields AS fields,
          given.sent_at AS sent_at,
          mover.id AS mover_id,
          mover.company_id AS left_id,
          coalesce(given.sent_at IS NOT NULL
                   AND least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < mover.updated_at, false)
   AND ((EXISTS
           (SELECT note.key
            FROM jsonb_each_text(mover.field_times) AS note
            WHERE ((CAST(nullif(note.key, ''::VARCHAR) AS JSONB))['columns'::TEXT] ? 'company_id'::VARCHAR)
              AND CAST(note.value AS BIGINT) > CAST(EXTRACT(epoch
                                                            FROM least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
        OR (least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
            OR coalesce(CAST((mover.field_times ->> ''::TEXT) AS BIGINT) > CAST(EXTRACT(epoch
                                                                                        FROM least(given.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT), false))
        AND mover.company_id IS NOT NULL) AS stays
   FROM given
   LEFT OUTER JOIN mover ON mover.external_id = given.user_id
   WHERE given.user_id IS NULL
     OR mover.id IS NOT NULL),
before AS
  (SELECT sound.ordinal AS ordinal,
          companies.org_id AS org_id,
          companies.id AS id,
          companies.external_id AS external_id,
          companies.name AS name,
          companies.signed_up_at AS signed_up_at,
          companies.renewal_date AS renewal_date,
          companies.renewal_status AS renewal_status,
          companies.contract_term AS contract_term,
          companies.payment_terms AS payment_terms,
          companies.on_contract AS on_contract,
          companies.mrr AS mrr,
          companies.arr AS arr,
          companies.custom_fields AS custom_fields,
          companies.field_times AS field_times,
          companies.created_at AS created_at,
          companies.updated_at AS updated_at
   FROM sound
   JOIN companies ON companies.external_id = sound.external_id
   WHERE companies.org_id =
       (SELECT :org_id::UUID AS anon_1)
   ORDER BY companies.id
   FOR NO KEY UPDATE OF companies), taken AS MATERIALIZED
  (SELECT sound.ordinal AS ordinal,
          sound.external_id AS external_id,
          sound.mover_id AS mover_id,
          sound.left_id AS left_id,
          sound.stays AS stays,
          sound.sent_at AS sent_at,
          sound.field_types AS field_types,
          CASE
              WHEN coalesce(sound.sent_at IS NOT NULL
                            AND least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < before.updated_at, false) THEN CASE
                                                                                                                                                           WHEN (least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                                                                                                                                                                 OR coalesce(CAST((before.field_times ->> ''::TEXT) AS BIGINT) > CAST(EXTRACT(epoch
                                                                                                                                                                                                                                              FROM least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT), false)) THEN sound.columns || jsonb_strip_nulls(jsonb_build_object('name', before.name, 'signed_up_at', before.signed_up_at, 'renewal_date', before.renewal_date, 'renewal_status', before.renewal_status, 'contract_term', before.contract_term, 'payment_terms', before.payment_terms, 'on_contract', before.on_contract, 'mrr', before.mrr, 'arr', before.arr))
                                                                                                                                                           ELSE sound.columns - coalesce(
                                                                                                                                                                                           (SELECT array_agg(name.value) AS array_agg_1
                                                                                                                                                                                            FROM jsonb_each_text(before.field_times) AS note
                                                                                                                                                                                            JOIN jsonb_array_elements_text((CAST(nullif(note.key, ''::VARCHAR) AS JSONB))['columns'::TEXT]) AS name ON true
                                                                                                                                                                                            WHERE CAST(note.value AS BIGINT) > CAST(EXTRACT(epoch
                                                                                                                                                                                                                                            FROM least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)), '{}'::text[])
                                                                                                                                                       END
              ELSE sound.columns
          END AS columns,
          CASE
              WHEN coalesce(sound.sent_at IS NOT NULL
                            AND least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < before.updated_at, false) THEN CASE
                                                                                                                                                           WHEN (least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                                                                                                                                                                 OR coalesce(CAST((before.field_times ->> ''::TEXT) AS BIGINT) > CAST(EXTRACT(epoch
                                                                                                                                                                                                                                              FROM least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT), false)) THEN sound.custom_fields || before.custom_fields
                                                                                                                                                           ELSE sound.custom_fields - coalesce(
                                                                                                                                                                                                 (SELECT array_agg(name.value) AS array_agg_2
                                                                                                                                                                                                  FROM jsonb_each_text(before.field_times) AS note
                                                                                                                                                                                                  JOIN jsonb_array_elements_text((CAST(nullif(note.key, ''::VARCHAR) AS JSONB))['custom_fields'::TEXT]) AS name ON true
                                                                                                                                                                                                  WHERE CAST(note.value AS BIGINT) > CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                  FROM least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)), '{}'::text[])
                                                                                                                                                       END
              ELSE sound.custom_fields
          END AS custom_fields,
          CASE
              WHEN (sound.fields IS NULL) THEN coalesce(before.field_times, '{}'::jsonb)
              WHEN (before.field_times IS NULL
                    OR before.updated_at < coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds') THEN jsonb_build_object(sound.fields, greatest(CAST(before.field_times ->> sound.fields AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                           FROM least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
              WHEN (octet_length(CAST(before.field_times AS TEXT)) > 4000::INTEGER
                    AND coalesce(sound.sent_at IS NOT NULL
                                 AND least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < before.updated_at, false)) THEN jsonb_build_object(sound.fields, greatest(CAST((before.field_times ->> sound.fields) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                           FROM least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT))) || jsonb_build_object('', CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                                                                                              FROM before.updated_at) * 1000000::INTEGER AS BIGINT))
              WHEN (octet_length(CAST(before.field_times AS TEXT)) > 4000::INTEGER) THEN jsonb_build_object('', CAST(EXTRACT(epoch
                                                                                                                             FROM before.updated_at) * 1000000::INTEGER AS BIGINT)) || jsonb_build_object(sound.fields, greatest(CAST((before.field_times ->> sound.fields) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                     FROM least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
              ELSE before.field_times || jsonb_build_object(sound.fields, greatest(CAST((before.field_times ->> sound.fields) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                       FROM least(sound.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
          END AS field_times
   FROM sound
   LEFT OUTER JOIN
   before ON before.ordinal = sound.ordinal), laid AS
  (SELECT taken.ordinal AS ordinal,
          taken.external_id AS external_id,
          taken.mover_id AS mover_id,
          taken.left_id AS left_id,
          taken.stays AS stays,
          taken.sent_at AS sent_at,
          taken.field_types AS field_types,
          taken.field_times AS field_times,
          taken.custom_fields AS given_custom_fields,
          CASE
              WHEN (taken.columns ? 'name'::VARCHAR) THEN CAST(taken.columns ->> 'name'::TEXT AS TEXT)
              ELSE before.name
          END AS name,
          CASE
              WHEN (taken.columns ? 'signed_up_at'::VARCHAR) THEN CAST(taken.columns ->> 'signed_up_at'::TEXT AS TIMESTAMP WITH TIME ZONE)
              ELSE before.signed_up_at
          END AS signed_up_at,
          CASE
              WHEN (taken.columns ? 'renewal_date'::VARCHAR) THEN CAST(taken.columns ->> 'renewal_date'::TEXT AS TIMESTAMP WITH TIME ZONE)
              ELSE before.renewal_date
          END AS renewal_date,
          CASE
              WHEN (taken.columns ? 'renewal_status'::VARCHAR) THEN CAST(taken.columns ->> 'renewal_status'::TEXT AS TEXT)
              ELSE before.renewal_status
          END AS renewal_status,
          CASE
              WHEN (taken.columns ? 'contract_term'::VARCHAR) THEN CAST(taken.columns ->> 'contract_term'::TEXT AS TEXT)
              ELSE before.contract_term
          END AS contract_term,
          CASE
              WHEN (taken.columns ? 'payment_terms'::VARCHAR) THEN CAST(taken.columns ->> 'payment_terms'::TEXT AS TEXT)
              ELSE before.payment_terms
          END AS payment_terms,
          CASE
              WHEN (taken.columns ? 'on_contract'::VARCHAR) THEN CAST(taken.columns ->> 'on_contract'::TEXT AS BOOLEAN)
              ELSE before.on_contract
          END AS on_contract,
          CASE
              WHEN (taken.columns ? 'mrr'::VARCHAR) THEN CAST(taken.columns ->> 'mrr'::TEXT AS NUMERIC)
              ELSE before.mrr
          END AS mrr,
          CASE
              WHEN (taken.columns ? 'arr'::VARCHAR) THEN CAST(taken.columns ->> 'arr'::TEXT AS NUMERIC)
              ELSE before.arr
          END AS arr,
          coalesce(before.custom_fields || taken.custom_fields, taken.custom_fields) AS custom_fields,
          before.id AS stored_id,
          before.name AS stored_name,
          before.signed_up_at AS stored_signed_up_at,
          before.renewal_date AS stored_renewal_date,
          before.renewal_status AS stored_renewal_status,
          before.contract_term AS stored_contract_term,
          before.payment_terms AS stored_payment_terms,
          before.on_contract AS stored_on_contract,
          before.mrr AS stored_mrr,
          before.arr AS stored_arr,
          before.custom_fields AS stored_custom_fields,
          before.created_at AS created_at,
          before.updated_at AS updated_at
   FROM taken
   LEFT OUTER JOIN
   before ON before.ordinal = taken.ordinal),
                                              merged AS
  (SELECT laid.ordinal AS ordinal,
          laid.external_id AS external_id,
          laid.mover_id AS mover_id,
          laid.left_id AS left_id,
          laid.stays AS stays,
          laid.sent_at AS sent_at,
          laid.name AS name,
          laid.signed_up_at AS signed_up_at,
          laid.renewal_date AS renewal_date,
          laid.renewal_status AS renewal_status,
          laid.contract_term AS contract_term,
          laid.payment_terms AS payment_terms,
          laid.on_contract AS on_contract,
          laid.mrr AS mrr,
          laid.arr AS arr,
          laid.custom_fields AS custom_fields,
          laid.field_types AS field_types,
          laid.field_times AS field_times,
          coalesce(laid.stored_id, uuid7()) AS id,
          laid.stored_id IS NULL AS created,
                            array_remove(ARRAY[CASE
                                                   WHEN (laid.name IS DISTINCT
                                                         FROM laid.stored_name) THEN 'company.name'::VARCHAR
                                               END, CASE
                                                        WHEN (laid.signed_up_at IS DISTINCT
                                                              FROM laid.stored_signed_up_at) THEN 'company.signed_up_at'::VARCHAR
                                                    END, CASE
                                                             WHEN (laid.renewal_date IS DISTINCT
                                                                   FROM laid.stored_renewal_date) THEN 'company.renewal_date'::VARCHAR
                                                         END, CASE
                                                                  WHEN (laid.renewal_status IS DISTINCT
                                                                        FROM laid.stored_renewal_status) THEN 'company.renewal_status'::VARCHAR
                                                              END, CASE
                                                                       WHEN (laid.contract_term IS DISTINCT
                                                                             FROM laid.stored_contract_term) THEN 'company.contract_term'::VARCHAR
                                                                   END, CASE
                                                                            WHEN (laid.payment_terms IS DISTINCT
                                                                                  FROM laid.stored_payment_terms) THEN 'company.payment_terms'::VARCHAR
                                                                        END, CASE
                                                                                 WHEN (laid.on_contract IS DISTINCT
                                                                                       FROM laid.stored_on_contract) THEN 'company.on_contract'::VARCHAR
                                                                             END, CASE
                                                                                      WHEN (laid.mrr IS DISTINCT
                                                                                            FROM laid.stored_mrr) THEN 'company.mrr'::VARCHAR
                                                                                  END, CASE
                                                                                           WHEN (laid.arr IS DISTINCT
                                                                                                 FROM laid.stored_arr) THEN 'company.arr'::VARCHAR
                                                                                       END], NULL) || array(
                                                                                                              (SELECT 'company.custom:'::VARCHAR || anon_3.key AS anon_2
                                                                                                               FROM jsonb_object_keys(laid.given_custom_fields) AS anon_3(key)
                                                                                                               WHERE laid.custom_fields[anon_3.key] IS DISTINCT
                                                                                                                 FROM laid.stored_custom_fields[anon_3.key]
                                                                                                               ORDER BY anon_3.key)) AS changed,
                            laid.stored_id IS NULL
   OR cardinality(array_remove(ARRAY[CASE
                                         WHEN (laid.name IS DISTINCT
                                               FROM laid.stored_name) THEN 'company.name'::VARCHAR
                                     END, CASE
                                              WHEN (laid.signed_up_at IS DISTINCT
                                                    FROM laid.stored_signed_up_at) THEN 'company.signed_up_at'::VARCHAR
                                          END, CASE
                                                   WHEN (laid.renewal_date IS DISTINCT
                                                         FROM laid.stored_renewal_date) THEN 'company.renewal_date'::VARCHAR
                                               END, CASE
                                                        WHEN (laid.renewal_status IS DISTINCT
                                                              FROM laid.stored_renewal_status) THEN 'company.renewal_status'::VARCHAR
                                                    END, CASE
                                                             WHEN (laid.contract_term IS DISTINCT
                                                                   FROM laid.stored_contract_term) THEN 'company.contract_term'::VARCHAR
                                                         END, CASE
                                                                  WHEN (laid.payment_terms IS DISTINCT
                                                                        FROM laid.stored_payment_terms) THEN 'company.payment_terms'::VARCHAR
                                                              END, CASE
                                                                       WHEN (laid.on_contract IS DISTINCT
                                                                             FROM laid.stored_on_contract) THEN 'company.on_contract'::VARCHAR
                                                                   END, CASE
                                                                            WHEN (laid.mrr IS DISTINCT
                                                                                  FROM laid.stored_mrr) THEN 'company.mrr'::VARCHAR
                                                                        END, CASE
                                                                                 WHEN (laid.arr IS DISTINCT
                                                                                       FROM laid.stored_arr) THEN 'company.arr'::VARCHAR
                                                                             END], NULL) || array(
                                                                                                    (SELECT 'company.custom:'::VARCHAR || anon_3.key AS anon_2
                                                                                                     FROM jsonb_object_keys(laid.given_custom_fields) AS anon_3(key)
                                                                                                     WHERE laid.custom_fields[anon_3.key] IS DISTINCT
                                                                                                       FROM laid.stored_custom_fields[anon_3.key]
                                                                                                     ORDER BY anon_3.key))) > 0::INTEGER AS writes,
      coalesce(laid.created_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) AS created_at,
      CASE
          WHEN (laid.stored_id IS NULL
                OR cardinality(array_remove(ARRAY[CASE
                                                      WHEN (laid.name IS DISTINCT
                                                            FROM laid.stored_name) THEN 'company.name'::VARCHAR
                                                  END, CASE
                                                           WHEN (laid.signed_up_at IS DISTINCT
                                                                 FROM laid.stored_signed_up_at) THEN 'company.signed_up_at'::VARCHAR
                                                       END, CASE
                                                                WHEN (laid.renewal_date IS DISTINCT
                                                                      FROM laid.stored_renewal_date) THEN 'company.renewal_date'::VARCHAR
                                                            END, CASE
                                                                     WHEN (laid.renewal_status IS DISTINCT
                                                                           FROM laid.stored_renewal_status) THEN 'company.renewal_status'::VARCHAR
                                                                 END, CASE
                                                                          WHEN (laid.contract_term IS DISTINCT
                                                                                FROM laid.stored_contract_term) THEN 'company.contract_term'::VARCHAR
                                                                      END, CASE
                                                                               WHEN (laid.payment_terms IS DISTINCT
                                                                                     FROM laid.stored_payment_terms) THEN 'company.payment_terms'::VARCHAR
                                                                           END, CASE
                                                                                    WHEN (laid.on_contract IS DISTINCT
                                                                                          FROM laid.stored_on_contract) THEN 'company.on_contract'::VARCHAR
                                                                                END, CASE
                                                                                         WHEN (laid.mrr IS DISTINCT
                                                                                               FROM laid.stored_mrr) THEN 'company.mrr'::VARCHAR
                                                                                     END, CASE
                                                                                              WHEN (laid.arr IS DISTINCT
                                                                                                    FROM laid.stored_arr) THEN 'company.arr'::VARCHAR
                                                                                          END], NULL) || array(
                                                                                                                 (SELECT 'company.custom:'::VARCHAR || anon_3.key AS anon_2
                                                                                                                  FROM jsonb_object_keys(laid.given_custom_fields) AS anon_3(key)
                                                                                                                  WHERE laid.custom_fields[anon_3.key] IS DISTINCT
                                                                                                                    FROM laid.stored_custom_fields[anon_3.key]
                                                                                                                  ORDER BY anon_3.key))) > 0::INTEGER) THEN greatest(laid.updated_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))
          ELSE laid.updated_at
      END AS updated_at,
      CASE
          WHEN (octet_length(CAST(laid.custom_fields AS TEXT)) > 400000::INTEGER) THEN CASE
                                                                                           WHEN (coalesce(octet_length(regexp_replace(nullif(CAST(laid.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER) > greatest(400000::INTEGER, coalesce(coalesce(octet_length(regexp_replace(nullif(CAST(laid.stored_custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER), 0::INTEGER))) THEN coalesce(octet_length(regexp_replace(nullif(CAST(laid.custom_fields AS TEXT), '{}'::VARCHAR), '("(?:[^"\\]|\\.)*")| ', '\1', 'g'::VARCHAR)), 0::INTEGER)
                                                                                       END
          ELSE CAST(NULL AS INTEGER)
      END AS oversize
   FROM laid
   ORDER BY laid.ordinal),
                                              fitting AS
  (SELECT merged.ordinal AS ordinal,
          merged.external_id AS external_id,
          merged.mover_id AS mover_id,
          merged.left_id AS left_id,
          merged.stays AS stays,
          merged.sent_at AS sent_at,
          merged.name AS name,
          merged.signed_up_at AS signed_up_at,
          merged.renewal_date AS renewal_date,
          merged.renewal_status AS renewal_status,
          merged.contract_term AS contract_term,
          merged.payment_terms AS payment_terms,
          merged.on_contract AS on_contract,
          merged.mrr AS mrr,
          merged.arr AS arr,
          merged.custom_fields AS custom_fields,
          merged.field_types AS field_types,
          merged.field_times AS field_times,
          merged.id AS id,
          merged.created AS created,
          merged.changed AS changed,
          merged.writes AS writes,
          merged.created_at AS created_at,
          merged.updated_at AS updated_at,
          merged.oversize AS oversize
   FROM merged
   WHERE merged.oversize IS NULL),
                                              upserted AS
  (INSERT INTO companies (org_id, id, external_id, created_at, name, signed_up_at, renewal_date, renewal_status, contract_term, payment_terms, on_contract, mrr, arr, custom_fields, field_times, updated_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                                                                                                                                     fitting.id AS id,
                                                                                                                                                                                                                     fitting.external_id AS external_id,
                                                                                                                                                                                                                     fitting.created_at AS created_at,
                                                                                                                                                                                                                     fitting.name AS name,
                                                                                                                                                                                                                     fitting.signed_up_at AS signed_up_at,
                                                                                                                                                                                                                     fitting.renewal_date AS renewal_date,
                                                                                                                                                                                                                     fitting.renewal_status AS renewal_status,
                                                                                                                                                                                                                     fitting.contract_term AS contract_term,
                                                                                                                                                                                                                     fitting.payment_terms AS payment_terms,
                                                                                                                                                                                                                     fitting.on_contract AS on_contract,
                                                                                                                                                                                                                     fitting.mrr AS mrr,
                                                                                                                                                                                                                     fitting.arr AS arr,
                                                                                                                                                                                                                     fitting.custom_fields AS custom_fields,
                                                                                                                                                                                                                     fitting.field_times AS field_times,
                                                                                                                                                                                                                     fitting.updated_at AS updated_at
   FROM fitting
   WHERE fitting.writes
   ORDER BY fitting.id ON CONFLICT (org_id,
                                    id) DO UPDATE
   SET name = excluded.name,
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
       updated_at = excluded.updated_at),
                                              moved AS
  (UPDATE end_users
   SET field_times=CASE
                       WHEN ('{"columns":["company_id"]}'::VARCHAR IS NULL) THEN coalesce(end_users.field_times, '{}'::jsonb)
                       WHEN (end_users.field_times IS NULL
                             OR end_users.updated_at < coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds') THEN jsonb_build_object('{"columns":["company_id"]}'::VARCHAR, greatest(CAST(end_users.field_times ->> '{"columns":["company_id"]}'::VARCHAR AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                            FROM least(fitting.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                       WHEN (octet_length(CAST(end_users.field_times AS TEXT)) > 4000::INTEGER
                             AND coalesce(fitting.sent_at IS NOT NULL
                                          AND least(fitting.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) < end_users.updated_at, false)) THEN jsonb_build_object('{"columns":["company_id"]}'::VARCHAR, greatest(CAST((end_users.field_times ->> '{"columns":["company_id"]}'::VARCHAR) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                              FROM least(fitting.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT))) || jsonb_build_object('', CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   FROM end_users.updated_at) * 1000000::INTEGER AS BIGINT))
                       WHEN (octet_length(CAST(end_users.field_times AS TEXT)) > 4000::INTEGER) THEN jsonb_build_object('', CAST(EXTRACT(epoch
                                                                                                                                         FROM end_users.updated_at) * 1000000::INTEGER AS BIGINT)) || jsonb_build_object('{"columns":["company_id"]}'::VARCHAR, greatest(CAST((end_users.field_times ->> '{"columns":["company_id"]}'::VARCHAR) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                                                                                                                                                                         FROM least(fitting.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                       ELSE end_users.field_times || jsonb_build_object('{"columns":["company_id"]}'::VARCHAR, greatest(CAST((end_users.field_times ->> '{"columns":["company_id"]}'::VARCHAR) AS BIGINT), CAST(EXTRACT(epoch
                                                                                                                                                                                                                        FROM least(fitting.sent_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))) * 1000000::INTEGER AS BIGINT)))
                   END,
                   company_id=fitting.id,
                   updated_at=greatest(end_users.updated_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))
   FROM fitting
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND end_users.id = fitting.mover_id
     AND fitting.left_id IS DISTINCT
     FROM fitting.id
     AND NOT fitting.stays RETURNING fitting.ordinal,
                                     end_users.id),
                                              signalled AS
  (INSERT INTO signals (org_id, kind, end_user_id, company_id, changed, happened_at, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                        notes.kind AS kind,
                                                                                                        notes.end_user_id AS end_user_id,
                                                                                                        notes.company_id AS company_id,
                                                                                                        notes.changed AS changed,
                                                                                                        coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_11,
                                                                                                        coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM
     (SELECT moved.ordinal AS ordinal,
             'changed'::VARCHAR AS kind,
             moved.id AS end_user_id,
             CAST(NULL AS UUID) AS company_id, ARRAY['company_id'::VARCHAR] AS changed
      FROM moved
      UNION ALL SELECT fitting.ordinal AS ordinal,
                       'company_changed'::VARCHAR AS anon_4,
                       CAST(NULL AS UUID) AS anon_5,
                       fitting.id AS id,
                       fitting.changed AS changed
      FROM fitting
      WHERE NOT fitting.created
        AND fitting.writes) AS notes
   ORDER BY notes.ordinal,
            notes.company_id IS NOT NULL),
                                              seen_fields AS
  (SELECT DISTINCT ON (each.key) each.key AS key,
                      each.value AS type,
                      min(fitting.ordinal) OVER (PARTITION BY each.key) AS ordinal
   FROM fitting
   JOIN jsonb_each_text(fitting.field_types) AS each ON true
   ORDER BY each.key,
            each.value = 'null'::VARCHAR,
            fitting.ordinal),
                                              unsettled_fields AS
  (SELECT seen_fields.key AS key,
          seen_fields.type AS type,
          anon_7.type IS NULL AS is_new,
                         count(*) FILTER (
                                          WHERE anon_7.type IS NULL) OVER (
                                                                           ORDER BY seen_fields.ordinal, seen_fields.key) AS rank
   FROM seen_fields
   LEFT OUTER JOIN LATERAL
     (SELECT audience_fields.type AS type
      FROM audience_fields
      WHERE audience_fields.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND audience_fields.entity = 'company'::VARCHAR
        AND audience_fields.key = seen_fields.key
      LIMIT 1) AS anon_7 ON true
   WHERE anon_7.type IS NULL
     OR anon_7.type = 'null'::VARCHAR
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
                            (SELECT :org_id::UUID AS anon_1)), 0::INTEGER) < 5000::INTEGER
      LIMIT 1) AS anon_8
   JOIN LATERAL
     (SELECT audience_field_counts.registered AS registered
      FROM audience_field_counts
      WHERE audience_field_counts.org_id =
          (SELECT :org_id::UUID AS anon_1)
        FOR
        UPDATE) AS locked ON true),
                                              registered AS
  (INSERT INTO audience_fields (org_id, entity, key, type, first_seen_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                 'company'::VARCHAR AS anon_6,
                                                                                 unsettled_fields.key AS key,
                                                                                 unsettled_fields.type AS type,
                                                                                 coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_11
   FROM unsettled_fields
   WHERE NOT unsettled_fields.is_new
     OR unsettled_fields.rank <= 5000::INTEGER - coalesce(
                                                            (SELECT room.registered
                                                             FROM room), coalesce(
                                                                                    (SELECT audience_field_counts.registered
                                                                                     FROM audience_field_counts
                                                                                     WHERE audience_field_counts.org_id =
                                                                                         (SELECT :org_id::UUID AS anon_1)), 0::INTEGER))
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
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                 newly_registered.number AS number
   FROM newly_registered
   WHERE newly_registered.number > 0::INTEGER
     AND NOT (EXISTS
                (SELECT *
                 FROM audience_field_counts
                 WHERE audience_field_counts.org_id =
                     (SELECT :org_id::UUID AS anon_1)))),
                                              counted_fields AS
  (UPDATE audience_field_counts
   SET registered=(audience_field_counts.registered +
                     (SELECT newly_registered.number
                      FROM newly_registered))
   WHERE audience_field_counts.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND
       (SELECT newly_registered.number
        FROM newly_registered) > 0::INTEGER)
SELECT merged.ordinal,
       merged.id,
       merged.created,
       merged.created_at,
       merged.updated_at,
       merged.oversize,

  (SELECT array_agg(unsettled_fields.key
                    ORDER BY unsettled_fields.key) AS array_agg_3
   FROM unsettled_fields
   WHERE unsettled_fields.is_new
     AND unsettled_fields.rank > 5000::INTEGER - coalesce(
                                                            (SELECT room.registered
                                                             FROM room), coalesce(
                                                                                    (SELECT audience_field_counts.registered
                                                                                     FROM audience_field_counts
                                                                                     WHERE audience_field_counts.org_id =
                                                                                         (SELECT :org_id::UUID AS anon_1)), 0::INTEGER))) AS left_out
FROM merged
ORDER BY merged.ordinal;
