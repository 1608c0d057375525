-- limit_lock_wait
-- halo_engine/database.py
SELECT set_config('lock_timeout'::VARCHAR, '100ms'::VARCHAR, true) AS set_config_1;
