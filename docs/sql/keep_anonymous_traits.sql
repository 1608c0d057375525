-- keep_anonymous_traits
-- halo_engine/contacts/clients/anonymous.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.session_id AS session_id,
          given.traits AS traits
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(session_id TEXT, traits JSONB))
INSERT INTO anonymous_traits (org_id, session_id, traits, said_at)
SELECT
  (SELECT :org_id::UUID AS anon_1) AS anon_1,
       given.session_id,
       given.traits,
       coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1
FROM given
ORDER BY given.session_id ON CONFLICT (org_id,
                                       session_id) DO
UPDATE
SET traits = CASE
                 WHEN (anonymous_traits.said_at <= coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '30 days 0 seconds') THEN excluded.traits
                 ELSE anonymous_traits.traits || excluded.traits
             END,
             said_at = excluded.said_at;
