-- find_key
-- halo_engine/operators/proof.py
-- Parameters: key_prefix text
SELECT operator_keys.org_id,
       operator_keys.id,
       operator_keys.name,
       operator_keys.role,
       operator_keys.prefix,
       operator_keys.hash,
       operator_keys.created_at,
       operator_keys.expires_at,
       operator_keys.last_used_at,
       operator_keys.revoked_at,
       clock_timestamp() AS clock
FROM operator_keys
WHERE operator_keys.prefix = :key_prefix::VARCHAR;
