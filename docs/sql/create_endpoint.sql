-- create_endpoint
-- halo_engine/webhooks/endpoints.py
-- Parameters: org_id uuid, now timestamp with time zone
INSERT INTO webhook_endpoints (org_id, url, created_at)
VALUES ((SELECT :org_id::UUID AS anon_1), 'https://hooks.example/halo'::VARCHAR, :now::TIMESTAMP WITH TIME ZONE) RETURNING webhook_endpoints.id;
