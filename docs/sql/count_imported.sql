-- count_imported
-- halo_engine/contacts/csv_import/resume.py
-- Parameters: org_id uuid, import_key text
UPDATE csv_imports
SET created=(csv_imports.created + 1::BIGINT),
    updated=(csv_imports.updated + 1::BIGINT)
WHERE csv_imports.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_imports.key = :import_key::VARCHAR;
