-- read_pass_notes
-- halo_engine/pipeline/passes/taking.py
-- Parameters: org_id uuid, signal_id bigint
SELECT count(DISTINCT pass_notes.end_user_id) AS contacts,
       array_agg(DISTINCT pass_notes.automation_id) AS series,
       min(pass_notes.since) AS since
FROM pass_notes
WHERE pass_notes.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND pass_notes.taken_by = :signal_id::BIGINT;
