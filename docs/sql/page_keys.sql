-- page_keys
-- halo_engine/operators/keys.py
-- Parameters: org_id uuid, after_id uuid, limit integer
SELECT operator_keys.id,
       operator_keys.name,
       operator_keys.role,
       operator_keys.prefix,
       operator_keys.created_at,
       operator_keys.expires_at,
       operator_keys.last_used_at,
       operator_keys.revoked_at
FROM operator_keys
WHERE operator_keys.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND operator_keys.id < :after_id::UUID
ORDER BY operator_keys.id DESC
LIMIT :limit::INTEGER;
