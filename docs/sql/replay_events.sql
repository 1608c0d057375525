-- replay_events
-- halo_engine/webhooks/replaying.py
-- Parameters: now timestamp with time zone, org_id uuid, endpoint_id uuid, since timestamp with time zone
WITH replayed AS
  (INSERT INTO webhook_deliveries (org_id, endpoint_id, event_id, end_user_id, due_at) SELECT webhook_events.org_id AS org_id,
                                                                                              webhook_endpoints.id AS id,
                                                                                              webhook_events.id AS id_1,
                                                                                              webhook_events.end_user_id AS end_user_id,
                                                                                              :now::TIMESTAMP WITH TIME ZONE AS anon_1
   FROM webhook_events
   JOIN webhook_endpoints ON webhook_endpoints.org_id = webhook_events.org_id
   AND (webhook_endpoints.kinds IS NULL
        OR webhook_events.kind = ANY (webhook_endpoints.kinds))
   AND (webhook_endpoints.series_ids IS NULL
        OR webhook_events.automation_id = ANY (webhook_endpoints.series_ids))
   WHERE webhook_events.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND webhook_endpoints.id = :endpoint_id::UUID
     AND webhook_events.at >= :since::TIMESTAMP WITH TIME ZONE
     AND webhook_events.kind != 'webhook.test'::VARCHAR
   ORDER BY webhook_events.id ON CONFLICT (org_id,
                                           endpoint_id,
                                           event_id) DO UPDATE
   SET state = 'waiting'::VARCHAR,
       due_at = excluded.due_at,
       attempts = 0::SMALLINT
   WHERE webhook_deliveries.lease_token IS NULL RETURNING webhook_deliveries.event_id)
SELECT count(*) AS count_1
FROM replayed;
