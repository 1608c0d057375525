-- plan_anew
-- halo_engine/sql/planning.py
SELECT set_config('plan_cache_mode'::VARCHAR, 'auto'::VARCHAR, true) AS set_config_1;
