-- copy_notes_out
-- halo_engine/moving/copying.py
COPY
  (SELECT org_id,
          id,
          table_name,
          key
   FROM moved_rows
   WHERE org_id = '5a000000-0000-0000-0000-000000000001') TO STDOUT (FORMAT binary);
