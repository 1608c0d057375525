-- end_session
-- halo_engine/operators/sessions.py
-- Parameters: key_hash bytea
DELETE
FROM operator_sessions
WHERE operator_sessions.hash = :key_hash;
