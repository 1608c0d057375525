-- hold_months
-- Keep two ticks apart, and wait for locks so long at most
-- halo_engine/retention/months.py
SELECT pg_try_advisory_xact_lock(hashtext('events'::VARCHAR)) AS pg_try_advisory_xact_lock_1,
       set_config('lock_timeout'::VARCHAR, '10ms'::VARCHAR, true) AS set_config_1;
