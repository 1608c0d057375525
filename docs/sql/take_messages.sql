-- take_messages
-- halo_engine/contacts/clients/repeats.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.key AS key,
          given.body AS body
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, key UUID, body UUID)),
     in_turn AS
  (SELECT given.ordinal AS ordinal,
          given.key AS key,
          given.body AS body,
          row_number() OVER (PARTITION BY given.key
                             ORDER BY given.ordinal) AS turn
   FROM given),
     first AS
  (SELECT in_turn.ordinal AS ordinal,
          in_turn.key AS key,
          in_turn.body AS body,
          in_turn.turn AS turn
   FROM in_turn
   WHERE in_turn.turn = 1::INTEGER), claimed AS
  (INSERT INTO taken_messages (org_id, key, body, taken_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                   first.key AS key,
                                                                   first.body AS body,
                                                                   coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM first
   ORDER BY first.key ON CONFLICT DO NOTHING RETURNING taken_messages.key)
SELECT first.ordinal
FROM first
JOIN claimed ON claimed.key = first.key;
