-- change_endpoint
-- Build the statement that changes an endpoint's row
-- halo_engine/webhooks/endpoints.py
-- Parameters: org_id uuid, endpoint_id uuid
UPDATE webhook_endpoints
SET with_traits=true
WHERE webhook_endpoints.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND webhook_endpoints.id = :endpoint_id::UUID;
