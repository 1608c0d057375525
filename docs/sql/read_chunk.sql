-- read_chunk
-- Read a piece of a file
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: org_id uuid, upload_id uuid
SELECT csv_chunks.data
FROM csv_chunks
WHERE csv_chunks.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND csv_chunks.upload_id = :upload_id::UUID
  AND csv_chunks.number = 0::INTEGER;
