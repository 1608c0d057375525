-- read_left_organizations
-- halo_engine/cells/agreeing.py
SELECT moves.org_id
FROM moves
WHERE moves.state = 'moved'::VARCHAR
  AND moves.finished_at IS NULL;
