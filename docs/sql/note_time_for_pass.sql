-- note_time_for_pass
-- halo_engine/series/noting.py
-- Parameters: org_id uuid, since timestamp with time zone
INSERT INTO pass_notes (org_id, since)
VALUES ((SELECT :org_id::UUID AS anon_1), :since::TIMESTAMP WITH TIME ZONE) RETURNING pass_notes.id;
