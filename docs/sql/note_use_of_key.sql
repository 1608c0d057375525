-- note_use_of_key
-- halo_engine/operators/proof.py
-- Parameters: now timestamp with time zone, org_id uuid, key_id uuid
UPDATE operator_keys
SET last_used_at=:now::TIMESTAMP WITH TIME ZONE
WHERE operator_keys.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND operator_keys.id = :key_id::UUID;
