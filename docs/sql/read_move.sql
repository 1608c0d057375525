-- read_move
-- halo_engine/moving/ledger.py
-- Parameters: org_id uuid
SELECT moves.org_id,
       moves.org_key,
       moves.cell,
       moves.state,
       moves.copied,
       moves.organization,
       moves.switched_at,
       moves.finished_at
FROM moves
WHERE moves.org_id =
    (SELECT :org_id::UUID AS anon_1);
