-- read_installation
-- halo_engine/mail/sending/stops.py
SELECT installation.singleton,
       installation.ticked_at,
       installation.ticks,
       installation.sending_stopped_at,
       installation.sending_stopped_by,
       installation.sending_ordered_at,
       installation.mail_down_since,
       installation.mail_down_reason
FROM installation;
