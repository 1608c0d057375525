-- page_imports
-- Read a page of the imports, newest first; of files that are still coming there is none
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: org_id uuid
SELECT csv_uploads.id,
       csv_uploads.file_name,
       csv_uploads.state,
       csv_uploads.bytes,
       csv_uploads.bytes_read,
       csv_uploads.rows_done,
       csv_uploads.created,
       csv_uploads.updated,
       csv_uploads.bad,
       csv_uploads.bad_cells,
       csv_uploads.created_at,
       csv_uploads.finished_at
FROM csv_uploads
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND (csv_uploads.state != 'uploading'::VARCHAR
       OR csv_uploads.received_at IS NOT NULL)
ORDER BY csv_uploads.id DESC
LIMIT 51::INTEGER;
