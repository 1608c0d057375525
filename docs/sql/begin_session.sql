-- begin_session
-- halo_engine/operators/sessions.py
-- Parameters: org_id uuid, key_id uuid, key_hash bytea
INSERT INTO operator_sessions (org_id, key_id, hash, created_at, expires_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :key_id::UUID, :key_hash, clock_timestamp(), (clock_timestamp() + INTERVAL '0 days 43200 seconds')) RETURNING operator_sessions.id;
