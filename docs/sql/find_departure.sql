-- find_departure
-- halo_engine/opening.py
-- Parameters: org_key text
SELECT moves.state,
       moves.cell
FROM moves
WHERE moves.org_key = :org_key::VARCHAR
  FOR SHARE;
