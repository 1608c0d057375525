-- find_move_that_was_begun
-- halo_engine/contacts/erasure/organizations.py
-- Parameters: org_id uuid
SELECT moves.cell
FROM moves
WHERE moves.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND moves.state IN ('leaving'::VARCHAR,
                      'cancelled'::VARCHAR);
