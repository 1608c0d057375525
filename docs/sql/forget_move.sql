-- forget_move
-- halo_engine/moving/ledger.py
-- Parameters: org_id uuid
DELETE
FROM moves
WHERE moves.org_id =
    (SELECT :org_id::UUID AS anon_1);
