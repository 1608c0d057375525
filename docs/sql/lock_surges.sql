-- lock_surges
-- halo_engine/enrollment/surges/locks.py
-- Parameters: lock_keys integer[]
SELECT count(CAST(pg_advisory_xact_lock(7::INTEGER, anon_1.key) AS TEXT)) AS count_1
FROM unnest(:lock_keys::INTEGER[]) AS anon_1(key);
