-- complete_upload
-- Note that a file has come whole
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: now timestamp with time zone, org_id uuid, upload_id uuid
UPDATE csv_uploads
SET file_name='contacts.csv'::VARCHAR,
    received_at=:now::TIMESTAMP WITH TIME ZONE
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_uploads.id = :upload_id::UUID;
