-- read_stop_of_all
-- halo_engine/moving/checks.py
SELECT installation.sending_stopped_at IS NOT NULL AS anon_1
FROM installation;
