-- remove_waiting_calls
-- halo_engine/contacts/clients/waiting.py
-- Parameters: org_id uuid, call_ids bigint[]
DELETE
FROM waiting_calls
WHERE waiting_calls.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND waiting_calls.id = ANY (:call_ids::BIGINT[]);
