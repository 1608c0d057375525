-- claim_next_page
-- halo_engine/contacts/csv_import/resume.py
-- Parameters: org_id uuid, import_key text, limit integer
UPDATE csv_imports
SET rows_done=1000::BIGINT
WHERE csv_imports.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_imports.key = :import_key::VARCHAR
  AND csv_imports.rows_done = :limit::BIGINT RETURNING csv_imports.rows_done;
