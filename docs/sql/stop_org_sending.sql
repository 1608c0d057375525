-- stop_org_sending
-- halo_engine/mail/sending/stops.py
-- Parameters: by text, org_key text
UPDATE organizations
SET sending_stopped_at=now(),
    sending_stopped_by=:by::VARCHAR
WHERE organizations.key = :org_key::VARCHAR
  AND organizations.sending_stopped_at IS NULL;
