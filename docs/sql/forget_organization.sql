-- forget_organization
-- halo_engine/cells/directory.py
-- Parameters: org_key text
DELETE
FROM cell_organizations
WHERE cell_organizations.key = :org_key::VARCHAR;
