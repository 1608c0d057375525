-- copy_notes_in
-- halo_engine/moving/copying.py
COPY moved_rows (org_id, id, table_name, key)
FROM STDIN (FORMAT binary);
