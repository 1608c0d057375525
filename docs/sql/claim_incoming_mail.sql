-- claim_incoming_mail
-- halo_engine/mail/incoming/receive.py
-- Parameters: org_id uuid, contact_id uuid, now timestamp with time zone
INSERT INTO idempotency_keys (org_id, key, fingerprint, answer, end_user_id, created_at)
VALUES ((SELECT :org_id::UUID AS anon_1), 'mail:name-of-mail'::VARCHAR, 'name-of-mail'::VARCHAR, '{"kind": "hard_bounce", "reason": null, "message_id": null, "id": "5a000000-0000-0000-0000-000000000002", "suppressed": false, "again": false}'::JSONB, :contact_id::UUID, :now::TIMESTAMP WITH TIME ZONE) ON CONFLICT DO NOTHING RETURNING idempotency_keys.key;
