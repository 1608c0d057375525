-- add_chunk
-- Keep a piece of a file
-- halo_engine/contacts/csv_import/uploads/rows.py
-- Parameters: org_id uuid, upload_id uuid
INSERT INTO csv_chunks (org_id, upload_id, number, data)
VALUES ((SELECT :org_id::UUID AS anon_1), :upload_id::UUID, 0::INTEGER, '\x69642c656d61696c');
