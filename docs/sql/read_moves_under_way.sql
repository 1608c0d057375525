-- read_moves_under_way
-- halo_engine/moving/under_way.py
SELECT moves.org_key,
       moves.cell
FROM moves
WHERE moves.finished_at IS NULL
ORDER BY moves.org_key;
