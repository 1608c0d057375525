-- plan_without_values
-- halo_engine/sql/planning.py
SELECT set_config('plan_cache_mode'::VARCHAR, 'force_generic_plan'::VARCHAR, true) AS set_config_1;
