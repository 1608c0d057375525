-- read_first_organizations
-- halo_engine/operators/sessions.py
SELECT organizations.key
FROM organizations
LIMIT 2::INTEGER;
