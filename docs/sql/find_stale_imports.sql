-- find_stale_imports
-- Find the imports that no worker has touched for long
-- halo_engine/contacts/csv_import/uploads/rows.py
SELECT organizations.key,
       csv_uploads.id
FROM csv_uploads
JOIN organizations ON organizations.id = csv_uploads.org_id
WHERE csv_uploads.state = 'running'::VARCHAR
  AND csv_uploads.touched_at < clock_timestamp() - INTERVAL '0 days 60 seconds';
