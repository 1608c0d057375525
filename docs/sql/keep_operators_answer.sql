-- keep_operators_answer
-- halo_engine/doors/once.py
-- Parameters: org_id uuid, used_key text
UPDATE idempotency_keys
SET answer='{}'::JSONB
WHERE idempotency_keys.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND idempotency_keys.key = :used_key::VARCHAR;
