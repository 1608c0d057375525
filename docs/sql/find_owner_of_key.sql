-- find_owner_of_key
-- halo_engine/cells/owners.py
-- Parameters: key_prefix text
SELECT operator_keys.org_id,
       operator_keys.hash
FROM operator_keys
WHERE operator_keys.prefix = :key_prefix::VARCHAR;
