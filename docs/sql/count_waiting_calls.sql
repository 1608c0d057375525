-- count_waiting_calls
-- halo_engine/contacts/clients/waiting.py
-- Parameters: org_id uuid
SELECT count(*) AS count_1,
       min(waiting_calls.came_at) AS min_1
FROM waiting_calls
WHERE waiting_calls.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND waiting_calls.came_at > '2025-12-31 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE;
