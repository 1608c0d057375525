-- start_all_sending
-- halo_engine/mail/sending/stops.py
UPDATE installation
SET sending_stopped_at=NULL::TIMESTAMP WITH TIME ZONE,
                                                 sending_stopped_by=NULL::VARCHAR;
