-- note_move_finished
-- halo_engine/moving/ledger.py
-- Parameters: org_id uuid
UPDATE moves
SET copied='{}'::TEXT[],
organization=NULL,
             finished_at=clock_timestamp()
WHERE moves.org_id =
    (SELECT :org_id::UUID AS anon_1);
