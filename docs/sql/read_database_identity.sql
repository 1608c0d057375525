-- read_database_identity
-- halo_engine/cells/joining.py
SELECT system_identifier || ':' ||
  (SELECT oid
   FROM pg_database
   WHERE datname = current_database())
FROM pg_control_system();
