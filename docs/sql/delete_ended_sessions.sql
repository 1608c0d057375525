-- delete_ended_sessions
-- halo_engine/operators/sessions.py
-- Parameters: org_id uuid
DELETE
FROM operator_sessions
WHERE operator_sessions.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND operator_sessions.expires_at <= clock_timestamp();
