-- change_org
-- halo_engine/organizations/storing.py
-- Parameters: org_key text
UPDATE organizations
SET name='Halo'::VARCHAR
WHERE organizations.key = :org_key::VARCHAR;
