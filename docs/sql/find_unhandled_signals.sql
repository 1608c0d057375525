-- find_unhandled_signals
-- halo_engine/answers/explain/unhandled.py
-- Parameters: org_id uuid, series_id uuid, contact_ids uuid[]
SELECT DISTINCT ON (end_users.id) end_users.id AS contact_id,
                   signals.id,
                   signals.kind,
                   signals.happened_at,
                   signals.parked_at,
                   signals.error,
                   signals.retry_at
FROM signals
JOIN end_users ON end_users.org_id = signals.org_id
AND (signals.end_user_id = end_users.id
     OR signals.kind IN ('company_changed'::VARCHAR,
                         'activated'::VARCHAR,
                         'reevaluated'::VARCHAR)
     AND signals.parked_at IS NOT NULL
     AND ((signals.cursor ->> 'contact'::TEXT) IS NULL
          OR (signals.cursor ->> 'contact'::TEXT) = CAST(end_users.id AS TEXT))
     AND (signals.company_id IS NULL
          OR signals.company_id = end_users.company_id))
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND (signals.automation_id IS NULL
       OR signals.automation_id = :series_id::UUID)
  AND end_users.id = ANY (:contact_ids::UUID[])
ORDER BY end_users.id,
         signals.id;
