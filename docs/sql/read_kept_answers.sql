-- read_kept_answers
-- halo_engine/contacts/events/idempotency.py
-- Parameters: org_id uuid, used_keys text[]
SELECT idempotency_keys.key,
       idempotency_keys.fingerprint,
       idempotency_keys.answer
FROM idempotency_keys
WHERE idempotency_keys.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND idempotency_keys.key = ANY (:used_keys::TEXT[]);
