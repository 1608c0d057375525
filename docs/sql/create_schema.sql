-- create_schema
-- halo_engine/rehearsal/temporary_schema.py
CREATE SCHEMA halo_rehearsal_1;
