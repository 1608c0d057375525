-- revoke_operator_keys
-- halo_engine/contacts/erasure/organizations.py
-- Parameters: now timestamp with time zone, org_id uuid
UPDATE operator_keys
SET revoked_at=:now::TIMESTAMP WITH TIME ZONE
WHERE operator_keys.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND operator_keys.revoked_at IS NULL
  AND operator_keys.role != 'admin'::VARCHAR;
