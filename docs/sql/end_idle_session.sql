-- end_idle_session
-- halo_engine/cells/agreeing.py
SELECT set_config('idle_in_transaction_session_timeout'::VARCHAR, '5s'::VARCHAR, true) AS set_config_1;
