-- take_pass_notes
-- halo_engine/pipeline/passes/taking.py
-- Parameters: signal_id bigint, org_id uuid
UPDATE pass_notes
SET taken_by=:signal_id::BIGINT
WHERE pass_notes.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND (pass_notes.taken_by IS NULL
       OR NOT (EXISTS
                 (SELECT *
                  FROM signals
                  WHERE signals.org_id =
                      (SELECT :org_id::UUID AS anon_2)
                    AND signals.id = pass_notes.taken_by)));
