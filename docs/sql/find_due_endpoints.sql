-- find_due_endpoints
-- halo_engine/webhooks/claiming.py
-- Parameters: now timestamp with time zone
SELECT webhook_endpoints.org_id,
       webhook_endpoints.id
FROM webhook_endpoints
WHERE webhook_endpoints.off_since IS NULL
  AND (webhook_endpoints.resting_until IS NULL
       OR webhook_endpoints.resting_until <= :now::TIMESTAMP WITH TIME ZONE)
  AND (EXISTS
         (SELECT *
          FROM webhook_deliveries
          WHERE webhook_deliveries.org_id = webhook_endpoints.org_id
            AND webhook_deliveries.endpoint_id = webhook_endpoints.id
            AND webhook_deliveries.state = 'waiting'
            AND webhook_deliveries.due_at <= :now::TIMESTAMP WITH TIME ZONE
            AND (webhook_deliveries.lease_expires_at IS NULL
                 OR webhook_deliveries.lease_expires_at < clock_timestamp())))
  AND (EXISTS
         (SELECT *
          FROM organizations
          WHERE organizations.id = webhook_endpoints.org_id));
