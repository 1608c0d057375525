-- page_audit
-- halo_engine/operators/audit.py
-- Parameters: org_id uuid, limit integer
SELECT audit_log.org_id,
       audit_log.id,
       audit_log.at,
       audit_log.by,
       audit_log.via,
       audit_log.action,
       audit_log.target,
       audit_log.address,
       audit_log.request_id,
       audit_log.before,
       audit_log.after
FROM audit_log
WHERE audit_log.org_id =
    (SELECT :org_id::UUID AS anon_1)
ORDER BY audit_log.id DESC
LIMIT :limit::INTEGER;
