-- measure_webhooks
-- halo_engine/answers/operations/measures.py
-- Parameters: now timestamp with time zone
SELECT
  (SELECT count(*) AS count_1
   FROM webhook_deliveries
   WHERE webhook_deliveries.state = 'waiting') AS waiting,

  (SELECT min(first.due_at) AS min_1
   FROM webhook_endpoints
   JOIN LATERAL
     (SELECT webhook_deliveries.due_at AS due_at
      FROM webhook_deliveries
      WHERE webhook_deliveries.org_id = webhook_endpoints.org_id
        AND webhook_deliveries.endpoint_id = webhook_endpoints.id
        AND webhook_deliveries.state = 'waiting'
        AND webhook_deliveries.due_at <= :now::TIMESTAMP WITH TIME ZONE
        AND NOT (EXISTS
                   (SELECT *
                    FROM webhook_deliveries AS earlier
                    WHERE earlier.org_id = webhook_deliveries.org_id
                      AND earlier.end_user_id = webhook_deliveries.end_user_id
                      AND earlier.endpoint_id = webhook_deliveries.endpoint_id
                      AND earlier.event_id < webhook_deliveries.event_id
                      AND earlier.state = 'waiting'))
      ORDER BY webhook_deliveries.due_at
      LIMIT 1::INTEGER) AS first ON true
   WHERE webhook_endpoints.off_since IS NULL
     AND (webhook_endpoints.resting_until IS NULL
          OR webhook_endpoints.resting_until <= :now::TIMESTAMP WITH TIME ZONE)) AS oldest,
       count(*) FILTER (
                        WHERE webhook_endpoints.off_since IS NULL
                          AND webhook_endpoints.failing_since IS NOT NULL) AS failing,
       count(*) FILTER (
                        WHERE webhook_endpoints.off_since IS NOT NULL
                          AND webhook_endpoints.off_reason != 'operator'::VARCHAR) AS "off"
FROM webhook_endpoints;
