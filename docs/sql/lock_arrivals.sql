-- lock_arrivals
-- halo_engine/moving/counting.py
SELECT CAST(pg_advisory_xact_lock(13::INTEGER, 0::INTEGER) AS TEXT) AS pg_advisory_xact_lock_1;
