-- count_endpoints
-- halo_engine/webhooks/endpoints.py
-- Parameters: org_id uuid
SELECT count(*) AS count_1
FROM webhook_endpoints
WHERE webhook_endpoints.org_id =
    (SELECT :org_id::UUID AS anon_1);
