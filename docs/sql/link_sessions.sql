-- link_sessions
-- halo_engine/contacts/events/sessions.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.session_id AS session_id,
          given.contact_id AS contact_id
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(session_id TEXT, contact_id UUID)),
     linked AS
  (UPDATE events
   SET end_user_id=given.contact_id
   FROM given
   WHERE events.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND events.session_id = given.session_id
     AND events.end_user_id IS NULL RETURNING events.org_id,
                                              events.id,
                                              events.end_user_id,
                                              events.session_id,
                                              events.name,
                                              events.properties,
                                              events.happened_at,
                                              events.created_at,
                                              events.live,
                                              events.left_out),
     counted AS
  (INSERT INTO event_counts (org_id, end_user_id, name, count, first_at, last_at, live_at, live_id) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                                           linked.end_user_id AS end_user_id,
                                                                                                           linked.name AS name,
                                                                                                           count(*) AS count_1,
                                                                                                           min(linked.happened_at) AS min_1,
                                                                                                           max(linked.happened_at) AS max_1,
                                                                                                           (array_agg(linked.happened_at
                                                                                                                      ORDER BY linked.happened_at DESC, linked.id DESC) FILTER (
                                                                                                                                                                                WHERE linked.live))[1::INTEGER] AS anon_2,
                                                                                                           (array_agg(linked.id
                                                                                                                      ORDER BY linked.happened_at DESC, linked.id DESC) FILTER (
                                                                                                                                                                                WHERE linked.live))[1::INTEGER] AS anon_3
   FROM linked
   WHERE linked.end_user_id IS NOT NULL
   GROUP BY linked.end_user_id,
            linked.name
   ORDER BY linked.end_user_id,
            linked.name ON CONFLICT (org_id,
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
     kept AS
  (INSERT INTO contact_sessions (org_id, session_id, end_user_id, linked_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                    given.session_id AS session_id,
                                                                                    given.contact_id AS contact_id,
                                                                                    coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM given
   ORDER BY given.session_id ON CONFLICT DO NOTHING),
     noted_already AS
  (SELECT pass_notes.end_user_id AS end_user_id
   FROM pass_notes
   WHERE pass_notes.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND pass_notes.taken_by IS NULL
     AND pass_notes.end_user_id IN
       (SELECT linked.end_user_id
        FROM linked)
     FOR SHARE SKIP LOCKED),
     noted AS
  (INSERT INTO pass_notes (org_id, end_user_id) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                       of_noted.end_user_id AS end_user_id
   FROM
     (SELECT DISTINCT linked.end_user_id AS end_user_id
      FROM linked) AS of_noted
   WHERE (of_noted.end_user_id NOT IN
            (SELECT noted_already.end_user_id
             FROM noted_already))),
     earliest AS
  (SELECT linked.end_user_id AS end_user_id,
          min(linked.happened_at) AS at
   FROM linked
   GROUP BY linked.end_user_id)
UPDATE end_users
SET first_seen=earliest.at
FROM earliest
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.id = earliest.end_user_id
  AND end_users.first_seen > earliest.at RETURNING end_users.id,
                                                   end_users.first_seen;
