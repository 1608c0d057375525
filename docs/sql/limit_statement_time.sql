-- limit_statement_time
-- halo_engine/database.py
SELECT set_config('statement_timeout'::VARCHAR, '30000ms'::VARCHAR, true) AS set_config_1;
