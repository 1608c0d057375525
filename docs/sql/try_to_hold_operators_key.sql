-- try_to_hold_operators_key
-- halo_engine/doors/once.py
SELECT pg_try_advisory_xact_lock(4::INTEGER, hashtext('organization key'::VARCHAR)) AS pg_try_advisory_xact_lock_1;
