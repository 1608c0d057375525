-- hold_org_for_endpoints
-- halo_engine/webhooks/endpoints.py
-- Parameters: org_id uuid
SELECT organizations.id
FROM organizations
WHERE organizations.id = :org_id::UUID
  FOR NO KEY
  UPDATE;
