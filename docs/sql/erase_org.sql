-- erase_org
-- halo_engine/contacts/consent/erasure.py
-- Parameters: org_id uuid
DELETE
FROM organizations
WHERE organizations.id = :org_id::UUID;
