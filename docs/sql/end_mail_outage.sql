-- end_mail_outage
-- halo_engine/mail/sending/stops.py
UPDATE installation
SET mail_down_since=NULL::TIMESTAMP WITH TIME ZONE,
                                              mail_down_reason=NULL::VARCHAR
WHERE installation.mail_down_since IS NOT NULL;
