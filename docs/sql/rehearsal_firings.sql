-- rehearsal_firings
-- halo_engine/rehearsal/turning_points.py
-- Parameters: org_id uuid
SELECT events.happened_at
FROM events
WHERE events.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND events.name = 'tier'::VARCHAR
  AND events.end_user_id IS NOT NULL;
