-- lock_signals
-- halo_engine/series/locks.py
-- Parameters: lock_key integer
SELECT CAST(pg_advisory_xact_lock(2::INTEGER, :lock_key::INTEGER) AS TEXT) AS held;
