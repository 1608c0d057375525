-- read_endpoint_to_call
-- halo_engine/webhooks/claiming.py
-- Parameters: org_id uuid, endpoint_id uuid, now timestamp with time zone
SELECT webhook_endpoints.org_id,
       webhook_endpoints.id,
       webhook_endpoints.url,
       webhook_endpoints.kinds,
       webhook_endpoints.series_ids,
       webhook_endpoints.with_traits,
       webhook_endpoints.secret,
       webhook_endpoints.old_secret,
       webhook_endpoints.old_secret_until,
       webhook_endpoints.created_at,
       webhook_endpoints.off_since,
       webhook_endpoints.off_reason,
       webhook_endpoints.failing_since,
       webhook_endpoints.failures,
       webhook_endpoints.resting_until,
       webhook_endpoints.problem,
       webhook_endpoints.delivered_at
FROM webhook_endpoints
WHERE webhook_endpoints.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND webhook_endpoints.id = :endpoint_id::UUID
  AND webhook_endpoints.off_since IS NULL
  AND (webhook_endpoints.resting_until IS NULL
       OR webhook_endpoints.resting_until <= :now::TIMESTAMP WITH TIME ZONE);
