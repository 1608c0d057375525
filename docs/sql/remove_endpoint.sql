-- remove_endpoint
-- halo_engine/webhooks/endpoints.py
-- Parameters: org_id uuid, endpoint_id uuid
DELETE
FROM webhook_endpoints
WHERE webhook_endpoints.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND webhook_endpoints.id = :endpoint_id::UUID;
