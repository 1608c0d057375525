-- note_copied
-- halo_engine/moving/ledger.py
-- Parameters: org_id uuid
UPDATE moves
SET copied=array_append(moves.copied, 'end_users'::VARCHAR)
WHERE moves.org_id =
    (SELECT :org_id::UUID AS anon_1);
