-- count_uploaded
-- Add a page's counts
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: org_id uuid, upload_id uuid
UPDATE csv_uploads
SET created=(csv_uploads.created + 1::BIGINT),
    updated=(csv_uploads.updated + 1::BIGINT)
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_uploads.id = :upload_id::UUID;
