-- find_watched
-- halo_engine/moving/watching.py
SELECT relname
FROM pg_trigger
JOIN pg_class ON pg_class.oid = tgrelid
WHERE tgname = 'moving_1'::VARCHAR
  AND relnamespace = CAST(current_schema() AS regnamespace);
