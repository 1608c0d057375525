-- read_organization_whole
-- halo_engine/moving/switching.py
-- Parameters: org_id uuid
SELECT to_jsonb(organizations)
FROM organizations
WHERE id = :org_id::UUID;
