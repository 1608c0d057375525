-- find_session
-- halo_engine/operators/sessions.py
-- Parameters: key_hash bytea
SELECT operator_sessions.org_id,
       operator_sessions.key_id,
       operator_keys.name,
       operator_keys.role,
       organizations.name AS
organization,
       organizations.timezone,
       least(operator_sessions.expires_at, operator_keys.expires_at) AS ends_at
FROM operator_sessions
JOIN operator_keys ON operator_keys.org_id = operator_sessions.org_id
AND operator_keys.id = operator_sessions.key_id
JOIN organizations ON organizations.id = operator_sessions.org_id
WHERE operator_sessions.hash = :key_hash
  AND operator_keys.revoked_at IS NULL
  AND least(operator_sessions.expires_at, operator_keys.expires_at) > clock_timestamp();
