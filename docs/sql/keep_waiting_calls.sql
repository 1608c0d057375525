-- keep_waiting_calls
-- halo_engine/contacts/clients/waiting.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.user_id AS user_id,
          given.door AS door,
          given.fields AS fields
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, user_id TEXT, door TEXT, fields JSONB)),
     ranked AS
  (SELECT given.ordinal AS ordinal,
          given.user_id AS user_id,
          given.door AS door,
          given.fields AS fields,

     (SELECT count(*) AS count_2
      FROM waiting_calls
      WHERE waiting_calls.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND waiting_calls.user_id = given.user_id) + row_number() OVER (PARTITION BY given.user_id
                                                                        ORDER BY given.ordinal) AS rank
   FROM given),
     first AS
  (SELECT ranked.ordinal AS ordinal,
          ranked.user_id AS user_id,
          ranked.door AS door,
          ranked.fields AS fields,
          ranked.rank AS rank
   FROM ranked
   WHERE ranked.rank <= 100::INTEGER), numbered AS
  (SELECT first.ordinal AS ordinal,
          first.user_id AS user_id,
          first.door AS door,
          first.fields AS fields,
          first.rank AS rank,

     (SELECT count(*) AS count_1
      FROM
        (SELECT waiting_calls.id AS id
         FROM waiting_calls
         WHERE waiting_calls.org_id =
             (SELECT :org_id::UUID AS anon_1)
         LIMIT 100000::INTEGER) AS waiting) + row_number() OVER (
                                                                 ORDER BY first.ordinal) AS number
   FROM first),
                                       fitting AS
  (SELECT numbered.ordinal AS ordinal,
          numbered.user_id AS user_id,
          numbered.door AS door,
          numbered.fields AS fields,
          numbered.rank AS rank,
          numbered.number AS number
   FROM numbered
   WHERE numbered.number <= 100000::INTEGER),
                                       kept AS
  (INSERT INTO waiting_calls (org_id, user_id, door, fields, came_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                             fitting.user_id AS user_id,
                                                                             fitting.door AS door,
                                                                             fitting.fields AS fields,
                                                                             coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
   FROM fitting
   ORDER BY fitting.ordinal)
SELECT fitting.ordinal
FROM fitting;
