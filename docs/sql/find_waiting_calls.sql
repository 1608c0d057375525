-- find_waiting_calls
-- halo_engine/contacts/clients/waiting.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone
WITH given AS
  (SELECT given.user_id AS user_id
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(user_id TEXT))
SELECT waiting_calls.id,
       waiting_calls.user_id,
       waiting_calls.door,
       waiting_calls.fields
FROM waiting_calls
WHERE waiting_calls.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND waiting_calls.came_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '1 days 0 seconds'
  AND (EXISTS
         (SELECT *
          FROM end_users
          WHERE end_users.org_id =
              (SELECT :org_id::UUID AS anon_1)
            AND end_users.external_id = waiting_calls.user_id))
  AND waiting_calls.user_id IN
    (SELECT given.user_id
     FROM given)
ORDER BY waiting_calls.id
FOR
UPDATE OF waiting_calls SKIP LOCKED;
