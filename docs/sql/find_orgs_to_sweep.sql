-- find_orgs_to_sweep
-- halo_engine/retention/sweeping.py
-- Parameters: now timestamp with time zone, limit integer
SELECT organizations.id
FROM organizations
LEFT OUTER JOIN histories ON histories.org_id = organizations.id
WHERE histories.next_at IS NULL
  OR histories.next_at <= :now::TIMESTAMP WITH TIME ZONE
ORDER BY histories.next_at NULLS FIRST,
         organizations.id
LIMIT :limit::INTEGER;
