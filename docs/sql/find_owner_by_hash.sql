-- find_owner_by_hash
-- halo_engine/cells/owners.py
-- Parameters: key_hash bytea
SELECT operator_sessions.org_id
FROM operator_sessions
WHERE operator_sessions.hash = :key_hash;
