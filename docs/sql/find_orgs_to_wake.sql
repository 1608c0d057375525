-- find_orgs_to_wake
-- halo_engine/pipeline/wake.py
SELECT DISTINCT signals.org_id
FROM signals
WHERE signals.parked_at IS NOT NULL
  AND signals.retry_at <= now();
