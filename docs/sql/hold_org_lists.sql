-- hold_org_lists
-- halo_engine/contacts/consent/subscriptions.py
-- Parameters: org_id uuid
SELECT organizations.id
FROM organizations
WHERE organizations.id = :org_id::UUID
  FOR NO KEY
  UPDATE;
