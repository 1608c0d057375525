-- read_parked_for_pass
-- halo_engine/pipeline/passes/taking.py
-- Parameters: org_id uuid
SELECT signals.kind,
       signals.end_user_id,
       signals.company_id,
       signals.automation_id,
       signals.cursor ->> 'contact'::TEXT AS part_of
FROM signals
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.parked_at IS NOT NULL
LIMIT 100001::INTEGER;
