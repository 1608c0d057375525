-- read_import_progress
-- halo_engine/contacts/csv_import/resume.py
-- Parameters: org_id uuid, import_key text
SELECT csv_imports.rows_done
FROM csv_imports
WHERE csv_imports.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_imports.key = :import_key::VARCHAR
  AND csv_imports.finished_at IS NULL;
