-- lock_directory
-- halo_engine/cells/directory.py
SELECT CAST(pg_advisory_xact_lock(9::INTEGER, 0::INTEGER) AS TEXT) AS pg_advisory_xact_lock_1;
