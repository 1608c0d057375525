-- note_sending_order
-- halo_engine/mail/sending/stops.py
-- Parameters: sent_at timestamp with time zone, org_key text
UPDATE organizations
SET sending_ordered_at=least(:sent_at::TIMESTAMP WITH TIME ZONE, now())
WHERE organizations.key = :org_key::VARCHAR;
