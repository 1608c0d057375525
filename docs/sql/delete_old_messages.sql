-- delete_old_messages
-- halo_engine/contacts/clients/giving.py
-- Parameters: org_id uuid, limit integer
DELETE
FROM waiting_calls
WHERE ctid = ANY (array(
                          (SELECT ctid
                           FROM waiting_calls
                           WHERE waiting_calls.org_id =
                               (SELECT :org_id::UUID AS anon_1)
                             AND waiting_calls.came_at <= '2025-12-31 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE
                           LIMIT :limit::INTEGER)));
