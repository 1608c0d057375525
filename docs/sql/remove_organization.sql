-- remove_organization
-- halo_engine/moving/clearing.py
-- Parameters: org_id uuid
DELETE
FROM organizations
WHERE organizations.id = :org_id::UUID;
