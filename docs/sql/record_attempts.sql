-- record_attempts
-- halo_engine/webhooks/attempts.py
-- Parameters: signal_ids bigint[], org_id uuid, endpoint_id uuid, lease_token uuid
UPDATE webhook_deliveries
SET state=anon_1.state,
    due_at=coalesce(anon_1.due_at, webhook_deliveries.due_at),
    attempts=anon_1.attempts,
    lease_token=NULL::UUID,
    lease_expires_at=NULL::TIMESTAMP WITH TIME ZONE,
                                               tried_at=coalesce(anon_1.tried_at, webhook_deliveries.tried_at),
                                               status=anon_1.status,
                                               problem=anon_1.problem
FROM unnest(:signal_ids::BIGINT[], '{delivered}'::TEXT[], '{1}'::SMALLINT[], '{NULL}'::TIMESTAMP WITH TIME ZONE[], '{2026-01-01T01:00:00+00:00}'::TIMESTAMP WITH TIME ZONE[], '{200}'::INTEGER[], '{NULL}'::TEXT[]) AS anon_1(event_id, state, attempts, due_at, tried_at, status, problem)
WHERE webhook_deliveries.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND webhook_deliveries.endpoint_id = :endpoint_id::UUID
  AND webhook_deliveries.event_id = anon_1.event_id
  AND webhook_deliveries.lease_token = :lease_token::UUID;
