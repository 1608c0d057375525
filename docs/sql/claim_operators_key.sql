-- claim_operators_key
-- halo_engine/doors/once.py
-- Parameters: org_id uuid, used_key text, now timestamp with time zone
INSERT INTO idempotency_keys (org_id, key, fingerprint, answer, created_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :used_key::VARCHAR, 'of-call'::VARCHAR, '{}'::JSONB, :now::TIMESTAMP WITH TIME ZONE) ON CONFLICT DO NOTHING RETURNING idempotency_keys.key;
