-- page_deliveries
-- halo_engine/webhooks/deliveries.py
-- Parameters: org_id uuid, limit integer
SELECT webhook_deliveries.event_id,
       webhook_events.kind AS type,
       webhook_events.at,
       webhook_events.end_user_id AS contact,
       automations.key AS series,
       webhook_deliveries.state,
       webhook_deliveries.attempts,
       webhook_deliveries.due_at,
       webhook_deliveries.tried_at,
       webhook_deliveries.status,
       webhook_deliveries.problem
FROM webhook_deliveries
JOIN webhook_events ON webhook_events.org_id = webhook_deliveries.org_id
AND webhook_events.id = webhook_deliveries.event_id
LEFT OUTER JOIN automations ON automations.org_id = webhook_events.org_id
AND automations.id = webhook_events.automation_id
WHERE webhook_deliveries.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND webhook_deliveries.endpoint_id = '00000000-0000-0000-0000-000000000001'::UUID
ORDER BY webhook_deliveries.event_id DESC
LIMIT :limit::INTEGER;
