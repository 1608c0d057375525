-- read_last_pass_note
-- halo_engine/pipeline/passes/forgetting.py
-- Parameters: org_id uuid
SELECT max(pass_notes.id) AS max_1
FROM pass_notes
WHERE pass_notes.org_id =
    (SELECT :org_id::UUID AS anon_1);
