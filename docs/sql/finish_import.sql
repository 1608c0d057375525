-- finish_import
-- halo_engine/contacts/csv_import/resume.py
-- Parameters: now timestamp with time zone, org_id uuid, import_key text
UPDATE csv_imports
SET finished_at=CASE
                    WHEN (csv_imports.rows_done = 1000::BIGINT) THEN :now::TIMESTAMP WITH TIME ZONE
                    ELSE csv_imports.finished_at
                END
WHERE csv_imports.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_imports.key = :import_key::VARCHAR RETURNING csv_imports.created,
                                                       csv_imports.updated;
