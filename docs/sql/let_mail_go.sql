-- let_mail_go
-- halo_engine/moving/mail.py
-- Parameters: org_id uuid, by text
UPDATE organizations
SET sending_stopped_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                 sending_stopped_by=NULL::VARCHAR
WHERE organizations.id = :org_id::UUID
  AND organizations.sending_stopped_by = :by::VARCHAR;
