-- end_upload
-- Note that an import is over
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: now timestamp with time zone, org_id uuid, upload_id uuid
UPDATE csv_uploads
SET state='finished'::VARCHAR,
    bytes_read=csv_uploads.bytes,
    refused='null'::JSONB,
    finished_at=:now::TIMESTAMP WITH TIME ZONE
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_uploads.id = :upload_id::UUID
  AND csv_uploads.state = 'running'::VARCHAR;
