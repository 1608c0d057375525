-- start_org_sending
-- halo_engine/mail/sending/stops.py
-- Parameters: org_key text
UPDATE organizations
SET sending_stopped_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                 sending_stopped_by=NULL::VARCHAR
WHERE organizations.key = :org_key::VARCHAR;
