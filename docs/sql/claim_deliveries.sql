-- claim_deliveries
-- halo_engine/webhooks/claiming.py
-- Parameters: org_id uuid, endpoint_id uuid, now timestamp with time zone, limit integer, lease_token uuid
WITH due AS
  (SELECT webhook_deliveries.event_id AS event_id
   FROM webhook_deliveries
   WHERE webhook_deliveries.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND webhook_deliveries.endpoint_id = :endpoint_id::UUID
     AND webhook_deliveries.state = 'waiting'
     AND webhook_deliveries.due_at <= :now::TIMESTAMP WITH TIME ZONE
     AND (webhook_deliveries.lease_expires_at IS NULL
          OR webhook_deliveries.lease_expires_at < clock_timestamp())
     AND NOT (EXISTS
                (SELECT *
                 FROM webhook_deliveries AS earlier
                 WHERE earlier.org_id = webhook_deliveries.org_id
                   AND earlier.end_user_id = webhook_deliveries.end_user_id
                   AND earlier.endpoint_id = webhook_deliveries.endpoint_id
                   AND earlier.event_id < webhook_deliveries.event_id
                   AND earlier.state = 'waiting'))
   ORDER BY webhook_deliveries.due_at,
            webhook_deliveries.event_id
   LIMIT :limit::INTEGER
   FOR UPDATE SKIP LOCKED)
UPDATE webhook_deliveries
SET lease_token=:lease_token::UUID,
    lease_expires_at=(clock_timestamp() + make_interval(0::INTEGER, 0::INTEGER, 0::INTEGER, 0::INTEGER, 0::INTEGER, 0::INTEGER, 60.0))
FROM due
WHERE webhook_deliveries.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND webhook_deliveries.endpoint_id = :endpoint_id::UUID
  AND webhook_deliveries.event_id = due.event_id RETURNING webhook_deliveries.event_id,
                                                           webhook_deliveries.attempts;
