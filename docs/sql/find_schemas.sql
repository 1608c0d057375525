-- find_schemas
-- halo_engine/rehearsal/temporary_schema.py
SELECT nspname
FROM pg_namespace
WHERE starts_with(nspname, 'halo_rehearsal_'::VARCHAR);
