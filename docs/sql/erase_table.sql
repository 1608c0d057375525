-- erase_table
-- halo_engine/contacts/erasure/organizations.py
-- Parameters: org_id uuid
DELETE
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1);
