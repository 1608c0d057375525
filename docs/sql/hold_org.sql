-- hold_org
-- halo_engine/contacts/erasure/organizations.py
-- Parameters: org_id uuid
SELECT organizations.id
FROM organizations
WHERE organizations.id = :org_id::UUID
  FOR
  UPDATE;
