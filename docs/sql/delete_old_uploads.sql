-- delete_old_uploads
-- Delete uploads that never came whole, and reports of imports that ended before ``cut``
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: org_id uuid, cut timestamp with time zone
DELETE
FROM csv_uploads
WHERE csv_uploads.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND (csv_uploads.state = 'uploading'::VARCHAR
       AND csv_uploads.touched_at < '2025-12-31 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE
       OR csv_uploads.finished_at < :cut::TIMESTAMP WITH TIME ZONE);
