-- enter_schema
-- halo_engine/rehearsal/temporary_schema.py

SET search_path = halo_rehearsal_1;


SET synchronous_commit = off;
