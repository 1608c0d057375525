-- find_owner
-- halo_engine/cells/owners.py
-- Parameters: org_key text
SELECT organizations.id
FROM organizations
WHERE organizations.key = :org_key::VARCHAR;
