-- make_installation
-- halo_engine/mail/sending/stops.py
INSERT INTO installation (singleton)
VALUES (true) ON CONFLICT DO NOTHING;
