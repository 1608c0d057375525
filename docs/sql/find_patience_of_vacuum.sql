-- find_patience_of_vacuum
-- Return ``deadlock_timeout`` in milliseconds, if a vacuum has the table or a part of it
-- halo_engine/moving/watching.py
SELECT CAST(setting AS integer)
FROM pg_settings
WHERE name = 'deadlock_timeout'
  AND EXISTS
    (SELECT
     FROM pg_locks
     WHERE granted
       AND mode = 'ShareUpdateExclusiveLock'
       AND database =
         (SELECT oid
          FROM pg_database
          WHERE datname = current_database())
       AND (relation = CAST('end_users' AS regclass)
            OR relation IN
              (SELECT inhrelid
               FROM pg_inherits
               WHERE inhparent = CAST('end_users' AS regclass))));
