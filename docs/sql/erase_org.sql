-- erase_org
-- halo_engine/contacts/erasure/organizations.py
-- Parameters: org_id uuid
DELETE
FROM organizations
WHERE organizations.id = :org_id::UUID;
