-- discard_signals
-- halo_engine/pipeline/parked.py
-- Parameters: org_id uuid
DELETE
FROM signals
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.parked_at IS NOT NULL RETURNING signals.end_user_id,
                                              signals.company_id,
                                              signals.automation_id,
                                              signals.cursor ->> 'contact'::TEXT AS part_of;
