-- note_for_pass
-- halo_engine/series/noting.py
-- Parameters: org_id uuid, series_id uuid
INSERT INTO pass_notes (org_id, automation_id)
VALUES ((SELECT :org_id::UUID AS anon_1), :series_id::UUID);
