-- read_org_keys
-- halo_engine/cli/context.py
SELECT organizations.key
FROM organizations
ORDER BY organizations.key
LIMIT 11::INTEGER;
