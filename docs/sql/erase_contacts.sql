-- erase_contacts
-- halo_engine/contacts/consent/erasure.py
-- Parameters: org_id uuid, contact_ids uuid[]
DELETE
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.id = ANY (:contact_ids::UUID[]);
