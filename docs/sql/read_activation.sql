-- read_activation
-- halo_engine/answers/operations/progress.py
-- Parameters: org_id uuid, series_id uuid
SELECT signals.cursor,
       signals.created_at,
       signals.error,
       signals.retry_at
FROM signals
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.automation_id = :series_id::UUID
  AND signals.kind = 'activated'::VARCHAR
  AND signals.cursor['contact'::TEXT] IS NULL;
