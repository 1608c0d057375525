-- note_asking
-- halo_engine/contacts/consent/subscriptions.py
-- Parameters: org_id uuid
UPDATE organizations
SET asks_to_confirm=true
WHERE organizations.id = :org_id::UUID
  AND organizations.asks_to_confirm IS false;
