-- forget_waiting_calls
-- halo_engine/contacts/clients/waiting.py
-- Parameters: org_id uuid, contact_name text
DELETE
FROM waiting_calls
WHERE waiting_calls.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND waiting_calls.user_id = :contact_name::VARCHAR;
