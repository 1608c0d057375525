-- note_move_cancelled
-- halo_engine/moving/ledger.py
-- Parameters: org_id uuid
UPDATE moves
SET state='cancelled'::VARCHAR
WHERE moves.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND moves.state = 'leaving'::VARCHAR;
