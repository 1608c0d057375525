-- revoke_key
-- halo_engine/operators/keys.py
-- Parameters: now timestamp with time zone, org_id uuid, key_id uuid
UPDATE operator_keys
SET revoked_at=coalesce(operator_keys.revoked_at, :now::TIMESTAMP WITH TIME ZONE)
WHERE operator_keys.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND operator_keys.id = :key_id::UUID RETURNING operator_keys.id,
                                                 operator_keys.name,
                                                 operator_keys.role,
                                                 operator_keys.prefix,
                                                 operator_keys.created_at,
                                                 operator_keys.expires_at,
                                                 operator_keys.last_used_at,
                                                 operator_keys.revoked_at;
