-- forget_taken_notes
-- halo_engine/pipeline/passes/forgetting.py
-- Parameters: org_id uuid, signal_id bigint
DELETE
FROM pass_notes
WHERE pass_notes.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND pass_notes.id IN
    (SELECT pass_notes.id
     FROM pass_notes
     WHERE pass_notes.org_id =
         (SELECT :org_id::UUID AS anon_2)
       AND pass_notes.taken_by = :signal_id::BIGINT
     LIMIT 100000::INTEGER);
