-- probe_connection
-- halo_engine/database.py
SELECT 1;
