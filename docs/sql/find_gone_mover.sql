-- find_gone_mover
-- halo_engine/moving/ledger.py
-- Parameters: org_key text
SELECT moves.org_id AS id
FROM moves
WHERE moves.org_key = :org_key::VARCHAR
ORDER BY moves.started_at DESC
LIMIT 1::INTEGER;
