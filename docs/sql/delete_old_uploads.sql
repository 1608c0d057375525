-- delete_old_uploads
-- Delete what is left of old uploads and imports
-- halo_engine/contacts/csv_import/upload_rows.py
-- Parameters: org_id uuid
DELETE
FROM csv_uploads
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND (csv_uploads.state = 'uploading'::VARCHAR
       AND csv_uploads.touched_at < '2025-12-31 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE
       OR csv_uploads.finished_at < '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE);
