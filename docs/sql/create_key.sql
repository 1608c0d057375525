-- create_key
-- halo_engine/operators/keys.py
-- Parameters: org_id uuid, key_prefix text, key_hash bytea, now timestamp with time zone
INSERT INTO operator_keys (org_id, name, role, prefix, hash, created_at, expires_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :key_prefix::VARCHAR, 'viewer'::VARCHAR, :key_prefix::VARCHAR, :key_hash, :now::TIMESTAMP WITH TIME ZONE, NULL::TIMESTAMP WITH TIME ZONE) RETURNING operator_keys.id,
                                                                                                                                                                                              operator_keys.name,
                                                                                                                                                                                              operator_keys.role,
                                                                                                                                                                                              operator_keys.prefix,
                                                                                                                                                                                              operator_keys.created_at,
                                                                                                                                                                                              operator_keys.expires_at,
                                                                                                                                                                                              operator_keys.last_used_at,
                                                                                                                                                                                              operator_keys.revoked_at;
