-- delete_noted
-- Delete the rows of a table that were noted: their new versions come
-- halo_engine/moving/rows.py
DELETE
FROM end_users USING
  (SELECT DISTINCT key
   FROM moved_rows
   WHERE org_id = '5a000000-0000-0000-0000-000000000001'
     AND table_name = 'end_users') AS noted
WHERE end_users.org_id = '5a000000-0000-0000-0000-000000000001'
  AND end_users.id = CAST(noted.key ->> 'id' AS UUID);
