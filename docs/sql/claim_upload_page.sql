-- claim_upload_page
-- Note that a page is done, unless it was done before; return the stored faults
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: bytes_read bigint, org_id uuid, upload_id uuid
UPDATE csv_uploads
SET bytes_read=:bytes_read::BIGINT,
    position='None'::VARCHAR,
             line=0::BIGINT,
                  rows_done=0::BIGINT,
                  touched_at=clock_timestamp()
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_uploads.id = :upload_id::UUID
  AND csv_uploads.state = 'running'::VARCHAR
  AND csv_uploads.rows_done = 0::BIGINT RETURNING csv_uploads.bad,
                                                  csv_uploads.errors,
                                                  csv_uploads.bad_cells,
                                                  csv_uploads.cell_errors,
                                                  csv_uploads.warnings;
