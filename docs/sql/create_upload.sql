-- create_upload
-- Make the row of a file that is being uploaded; return its id
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: org_id uuid, now timestamp with time zone
INSERT INTO csv_uploads (org_id, state, options, created_at, touched_at)
VALUES ((SELECT :org_id::UUID AS anon_1), 'uploading'::VARCHAR, '{}'::JSONB, :now::TIMESTAMP WITH TIME ZONE, :now::TIMESTAMP WITH TIME ZONE) RETURNING csv_uploads.id;
