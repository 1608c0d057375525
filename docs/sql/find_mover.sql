-- find_mover
-- halo_engine/moving/ledger.py
-- Parameters: org_key text
SELECT organizations.id
FROM organizations
WHERE organizations.key = :org_key::VARCHAR;
