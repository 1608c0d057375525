-- sweep_webhook_events
-- halo_engine/webhooks/sweeping.py
-- Parameters: org_id uuid, limit integer
DELETE
FROM webhook_events
WHERE webhook_events.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND webhook_events.id IN
    (SELECT webhook_events.id
     FROM webhook_events
     WHERE webhook_events.org_id =
         (SELECT :org_id::UUID AS anon_2)
       AND webhook_events.at < '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE
     ORDER BY webhook_events.at
     LIMIT :limit::INTEGER);
