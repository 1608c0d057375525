-- hold_series_still
-- halo_engine/series/locks.py
-- Parameters: lock_key integer
SELECT clock_timestamp() AS held_at,
       set_config('plan_cache_mode'::VARCHAR, 'force_generic_plan'::VARCHAR, true) AS planned
FROM pg_advisory_xact_lock_shared(1::INTEGER, :lock_key::INTEGER);
