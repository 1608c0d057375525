-- lock_out_for_move
-- halo_engine/moving/switching.py
-- Parameters: lock_key integer
SELECT CAST(pg_advisory_xact_lock(10::INTEGER, :lock_key::INTEGER) AS TEXT) AS pg_advisory_xact_lock_1;
