-- read_endpoint_troubles
-- halo_engine/webhooks/troubles.py
-- Parameters: org_id uuid
SELECT webhook_endpoints.id,
       webhook_endpoints.url,
       webhook_endpoints.failing_since,
       webhook_endpoints.off_since,
       webhook_endpoints.off_reason,

  (SELECT count(*) AS count_1
   FROM webhook_deliveries
   WHERE webhook_deliveries.org_id = webhook_endpoints.org_id
     AND webhook_deliveries.endpoint_id = webhook_endpoints.id
     AND webhook_deliveries.state = 'waiting') AS waiting
FROM webhook_endpoints
WHERE webhook_endpoints.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND (webhook_endpoints.off_since IS NOT NULL
       OR webhook_endpoints.failing_since IS NOT NULL)
ORDER BY webhook_endpoints.id;
