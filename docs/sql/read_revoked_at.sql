-- read_revoked_at
-- halo_engine/operators/keys.py
-- Parameters: org_id uuid, key_id uuid
SELECT operator_keys.revoked_at
FROM operator_keys
WHERE operator_keys.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND operator_keys.id = :key_id::UUID;
