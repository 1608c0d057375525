-- find_any_waiting_calls
-- halo_engine/contacts/clients/waiting.py
-- Parameters: org_id uuid, now timestamp with time zone, limit integer
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
ORDER BY waiting_calls.id
LIMIT :limit::INTEGER
FOR
UPDATE OF waiting_calls SKIP LOCKED;
