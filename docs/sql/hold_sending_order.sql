-- hold_sending_order
-- halo_engine/mail/sending/stops.py
-- Parameters: org_key text
SELECT organizations.sending_ordered_at
FROM organizations
WHERE organizations.key = :org_key::VARCHAR
  FOR NO KEY
  UPDATE;
