-- find_unverified_orgs
-- workers/command/doctor.py
-- Parameters: limit integer
SELECT organizations.key
FROM organizations
WHERE organizations.identity_secret IS NULL
ORDER BY organizations.key
LIMIT :limit::INTEGER;
