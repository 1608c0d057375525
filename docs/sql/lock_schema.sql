-- lock_schema
-- halo_engine/rehearsal/temporary_schema.py
-- Parameters: schema text
SELECT pg_advisory_lock(hashtext(:schema::VARCHAR)) AS pg_advisory_lock_1;
