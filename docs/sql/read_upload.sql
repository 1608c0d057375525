-- read_upload
-- Read how far an import is
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: org_id uuid, upload_id uuid
SELECT csv_uploads.org_id,
       csv_uploads.id,
       csv_uploads.state,
       csv_uploads.file_name,
       csv_uploads.options,
       csv_uploads.bytes,
       csv_uploads.bytes_read,
       csv_uploads.position,
       csv_uploads.line,
       csv_uploads.rows_done,
       csv_uploads.created,
       csv_uploads.updated,
       csv_uploads.bad,
       csv_uploads.bad_cells,
       csv_uploads.errors,
       csv_uploads.cell_errors,
       csv_uploads.warnings,
       csv_uploads.refused,
       csv_uploads.created_at,
       csv_uploads.received_at,
       csv_uploads.touched_at,
       csv_uploads.finished_at
FROM csv_uploads
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_uploads.id = :upload_id::UUID;
