-- read_months
-- halo_engine/retention/months.py
SELECT relname,
       pg_get_expr(relpartbound, oid)
FROM pg_inherits
JOIN pg_class ON oid = inhrelid
WHERE inhparent = CAST('events' AS regclass);
