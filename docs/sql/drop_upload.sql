-- drop_upload
-- Delete a file whose upload was broken off
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: org_id uuid, upload_id uuid
DELETE
FROM csv_uploads
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_uploads.id = :upload_id::UUID
  AND csv_uploads.state = 'uploading'::VARCHAR;
