-- hold_contacts_to_erase
-- halo_engine/contacts/consent/erasure.py
-- Parameters: org_id uuid, contact_ids uuid[]
SELECT end_users.id
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.id = ANY (:contact_ids::UUID[])
ORDER BY end_users.id
FOR
UPDATE;
