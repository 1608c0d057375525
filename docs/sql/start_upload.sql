-- start_upload
-- Let workers import a file
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: now timestamp with time zone, org_id uuid, upload_id uuid
UPDATE csv_uploads
SET state='running'::VARCHAR,
    options='{}'::JSONB,
            touched_at=:now::TIMESTAMP WITH TIME ZONE
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_uploads.id = :upload_id::UUID
  AND csv_uploads.state = 'uploading'::VARCHAR;
