-- send_webhook_test
-- halo_engine/webhooks/replaying.py
-- Parameters: org_id uuid, now timestamp with time zone, endpoint_id uuid
WITH event AS
  (INSERT INTO webhook_events (org_id, kind, at)
   VALUES (
             (SELECT :org_id::UUID AS anon_3), 'webhook.test'::VARCHAR,
                                               :now::TIMESTAMP WITH TIME ZONE) RETURNING webhook_events.org_id,
                                                                                         webhook_events.id),
     delivery AS
  (INSERT INTO webhook_deliveries (org_id, endpoint_id, event_id, due_at) SELECT event.org_id AS org_id,
                                                                                 :endpoint_id::UUID AS anon_1,
                                                                                 event.id AS id,
                                                                                 :now::TIMESTAMP WITH TIME ZONE AS anon_2
   FROM event)
SELECT event.id
FROM event;
