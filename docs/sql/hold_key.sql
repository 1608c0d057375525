-- hold_key
-- halo_engine/cells/placing.py
-- Parameters: org_key text
SELECT CAST(pg_advisory_xact_lock(12::INTEGER, hashtext(:org_key::VARCHAR)) AS TEXT) AS pg_advisory_xact_lock_1;
