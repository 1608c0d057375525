-- find_organization_here
-- halo_engine/moving/switching.py
-- Parameters: org_id uuid
SELECT organizations.id
FROM organizations
WHERE organizations.id = :org_id::UUID;
