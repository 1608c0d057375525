-- read_who_stopped_mail
-- halo_engine/doors/mail.py
-- Parameters: org_id uuid
SELECT organizations.sending_stopped_by
FROM organizations
WHERE organizations.id = :org_id::UUID;
