-- find_org
-- halo_engine/mail/sending/stops.py
-- Parameters: org_key text
SELECT organizations.id
FROM organizations
WHERE organizations.key = :org_key::VARCHAR;
