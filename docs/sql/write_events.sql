-- write_events
-- halo_engine/contacts/events/rows.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.user_id AS user_id,
          given.contact_id AS contact_id,
          given.session_id AS session_id,
          given.name AS name,
          given.properties AS properties,
          given.happened_at AS happened_at,
          given.key AS key,
          given.fingerprint AS fingerprint,
          given.answer AS answer,
          given.left_out AS left_out
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, user_id TEXT, contact_id UUID, session_id TEXT, name TEXT, properties JSONB, happened_at TIMESTAMP WITH TIME ZONE, key TEXT, fingerprint TEXT, answer JSONB, left_out TEXT[])),
     known AS
  (SELECT end_users.id AS id,
          end_users.external_id AS named
   FROM end_users
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND end_users.external_id IN
       (SELECT given.user_id
        FROM given)
   ORDER BY end_users.id
   FOR NO KEY UPDATE),
     addressed AS
  (SELECT given.ordinal AS ordinal,
          given.user_id AS user_id,
          given.contact_id AS contact_id,
          given.session_id AS session_id,
          given.name AS name,
          given.properties AS properties,
          given.happened_at AS happened_at,
          given.key AS key,
          given.fingerprint AS fingerprint,
          given.answer AS answer,
          given.left_out AS left_out,
          known.id AS end_user_id
   FROM given
   LEFT OUTER JOIN known ON known.named = given.user_id
   WHERE given.user_id IS NULL
     OR known.id IS NOT NULL),
     ranked AS
  (SELECT addressed.ordinal AS ordinal,
          addressed.user_id AS user_id,
          addressed.contact_id AS contact_id,
          addressed.session_id AS session_id,
          addressed.name AS name,
          addressed.properties AS properties,
          addressed.happened_at AS happened_at,
          addressed.key AS key,
          addressed.fingerprint AS fingerprint,
          addressed.answer AS answer,
          addressed.left_out AS left_out,
          addressed.end_user_id AS end_user_id,
          addressed.key IS NULL
   OR row_number() OVER (PARTITION BY addressed.key
                         ORDER BY addressed.ordinal) = 1::INTEGER AS is_first
   FROM addressed),
     claimed AS
  (INSERT INTO idempotency_keys (org_id, key, fingerprint, answer, end_user_id, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                   ranked.key AS key,
                                                                                                   ranked.fingerprint AS fingerprint,
                                                                                                   ranked.answer AS answer,
                                                                                                   ranked.end_user_id AS end_user_id,
                                                                                                   coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM ranked
   WHERE ranked.key IS NOT NULL
     AND ranked.is_first
   ORDER BY ranked.key ON CONFLICT DO NOTHING RETURNING idempotency_keys.key),
     fresh AS
  (SELECT ranked.ordinal AS ordinal,
          ranked.user_id AS user_id,
          ranked.contact_id AS contact_id,
          ranked.session_id AS session_id,
          ranked.name AS name,
          ranked.properties AS properties,
          ranked.happened_at AS happened_at,
          ranked.key AS key,
          ranked.fingerprint AS fingerprint,
          ranked.answer AS answer,
          ranked.left_out AS left_out,
          ranked.end_user_id AS end_user_id,
          ranked.is_first AS is_first
   FROM ranked
   LEFT OUTER JOIN claimed ON claimed.key = ranked.key
   WHERE ranked.is_first
     AND (ranked.key IS NULL
          OR claimed.key IS NOT NULL)),
     written AS
  (INSERT INTO events (org_id,
                       end_user_id,
                       session_id,
                       name,
                       properties,
                       happened_at,
                       created_at,
                       live,
                       left_out) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                        fresh.end_user_id AS end_user_id,
                                        fresh.session_id AS session_id,
                                        fresh.name AS name,
                                        fresh.properties AS properties,
                                        fresh.happened_at AS happened_at,
                                        coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1,
                                        fresh.end_user_id IS NOT NULL
   AND fresh.happened_at >= coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '1 days 0 seconds' AS anon_4,
       fresh.left_out AS left_out
   FROM fresh
   ORDER BY fresh.ordinal RETURNING events.id,
                                    events.end_user_id,
                                    events.name,
                                    events.happened_at,
                                    events.live),
     counted AS
  (INSERT INTO event_counts (org_id, end_user_id, name, count, first_at, last_at, live_at, live_id) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                           written.end_user_id AS end_user_id,
                                                                                                           written.name AS name,
                                                                                                           count(*) AS count_1,
                                                                                                           min(written.happened_at) AS min_1,
                                                                                                           max(written.happened_at) AS max_1,
                                                                                                           (array_agg(written.happened_at
                                                                                                                      ORDER BY written.happened_at DESC, written.id DESC) FILTER (
                                                                                                                                                                                  WHERE written.live))[1::INTEGER] AS anon_2,
                                                                                                           (array_agg(written.id
                                                                                                                      ORDER BY written.happened_at DESC, written.id DESC) FILTER (
                                                                                                                                                                                  WHERE written.live))[1::INTEGER] AS anon_3
   FROM written
   WHERE written.end_user_id IS NOT NULL
   GROUP BY written.end_user_id,
            written.name
   ORDER BY written.end_user_id,
            written.name ON CONFLICT (org_id,
                                      end_user_id,
                                      name) DO UPDATE
   SET count = (event_counts.count + excluded.count), first_at = least(event_counts.first_at, excluded.first_at),
                                                      last_at = greatest(event_counts.last_at, excluded.last_at),
                                                      live_at = CASE
                                                                    WHEN (excluded.live_at IS NOT NULL
                                                                          AND (event_counts.live_at IS NULL
                                                                               OR (excluded.live_at,
                                                                                   excluded.live_id) > (event_counts.live_at,
                                                                                                        event_counts.live_id))) THEN excluded.live_at
                                                                    ELSE event_counts.live_at
                                                                END,
                                                                live_id = CASE
                                                                              WHEN (excluded.live_at IS NOT NULL
                                                                                    AND (event_counts.live_at IS NULL
                                                                                         OR (excluded.live_at,
                                                                                             excluded.live_id) > (event_counts.live_at,
                                                                                                                  event_counts.live_id))) THEN excluded.live_id
                                                                              ELSE event_counts.live_id
                                                                          END RETURNING event_counts.end_user_id),
     seen AS
  (UPDATE end_users
   SET updated_at=greatest(end_users.updated_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())),
       last_seen=greatest(end_users.last_seen, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND end_users.id IN
       (SELECT written.end_user_id
        FROM written) RETURNING end_users.id),
     signalled AS
  (INSERT INTO signals (org_id, kind, end_user_id, event_name, event_id, happened_at, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                         'event'::VARCHAR AS anon_5,
                                                                                                         written.end_user_id AS end_user_id,
                                                                                                         written.name AS name,
                                                                                                         written.id AS id,
                                                                                                         written.happened_at AS happened_at,
                                                                                                         coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM written
   WHERE written.live
   ORDER BY written.id RETURNING signals.id),
     noted_already AS
  (SELECT pass_notes.end_user_id AS end_user_id
   FROM pass_notes
   WHERE pass_notes.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND pass_notes.taken_by IS NULL
     AND pass_notes.end_user_id IN
       (SELECT written.end_user_id
        FROM written
        WHERE NOT written.live
          AND written.end_user_id IS NOT NULL)
     FOR SHARE SKIP LOCKED),
     noted AS
  (INSERT INTO pass_notes (org_id, end_user_id) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                       of_noted.end_user_id AS end_user_id
   FROM
     (SELECT DISTINCT written.end_user_id AS end_user_id
      FROM written
      WHERE NOT written.live
        AND written.end_user_id IS NOT NULL) AS of_noted
   WHERE (of_noted.end_user_id NOT IN
            (SELECT noted_already.end_user_id
             FROM noted_already)))
SELECT fresh.ordinal
FROM fresh;
