-- count_webhooks_under_way
-- halo_engine/moving/mail.py
-- Parameters: org_id uuid
SELECT count(*) AS count_1
FROM webhook_deliveries
WHERE webhook_deliveries.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND webhook_deliveries.state = 'waiting'
  AND webhook_deliveries.lease_expires_at > clock_timestamp();
