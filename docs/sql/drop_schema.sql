-- drop_schema
-- halo_engine/rehearsal/temporary_schema.py
DROP SCHEMA IF EXISTS halo_rehearsal_1 CASCADE;
