-- hold_mail
-- halo_engine/moving/mail.py
-- Parameters: by text, org_id uuid
UPDATE organizations
SET sending_stopped_at=now(),
    sending_stopped_by=:by::VARCHAR
WHERE organizations.id = :org_id::UUID
  AND organizations.sending_stopped_at IS NULL;
