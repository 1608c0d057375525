-- claim_first_page
-- halo_engine/contacts/csv_import/resume.py
-- Parameters: org_id uuid, import_key text, limit integer, now timestamp with time zone
INSERT INTO csv_imports (org_id, key, rows_done, started_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :import_key::VARCHAR, :limit::BIGINT, :now::TIMESTAMP WITH TIME ZONE) ON CONFLICT (org_id, key) DO
UPDATE
SET rows_done = :limit::BIGINT,
    created = 0::BIGINT,
    updated = 0::BIGINT,
    started_at = :now::TIMESTAMP WITH TIME ZONE,
                                           finished_at = NULL::TIMESTAMP WITH TIME ZONE
WHERE csv_imports.finished_at IS NOT NULL RETURNING csv_imports.rows_done;
