-- erase_waiting_calls
-- halo_engine/contacts/consent/erasure.py
-- Parameters: org_id uuid, contact_ids uuid[]
DELETE
FROM waiting_calls
WHERE waiting_calls.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND waiting_calls.user_id IN
    (SELECT end_users.external_id
     FROM end_users
     WHERE end_users.org_id =
         (SELECT :org_id::UUID AS anon_2)
       AND end_users.id = ANY (:contact_ids::UUID[]));
