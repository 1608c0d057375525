-- wait_at_most
-- halo_engine/moving/watching.py
SELECT set_config('lock_timeout'::VARCHAR, '100ms'::VARCHAR, true) AS set_config_1;
