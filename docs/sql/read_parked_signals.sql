-- read_parked_signals
-- halo_engine/answers/operations/parked.py
-- Parameters: org_id uuid, series_key text, limit integer
SELECT signals.kind,
       coalesce(end_users.external_id, end_users.email, CAST(end_users.id AS TEXT)) AS contact,
       automations.key AS series,
       signals.happened_at,
       signals.id,
       signals.tries,
       signals.retry_at,
       signals.error,
       coalesce(signals.failed_at, signals.parked_at) AS failed_at
FROM signals
LEFT OUTER JOIN automations ON signals.org_id = automations.org_id
AND signals.automation_id = automations.id
LEFT OUTER JOIN end_users ON signals.org_id = end_users.org_id
AND signals.end_user_id = end_users.id
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.parked_at IS NOT NULL
  AND automations.key = :series_key::VARCHAR
ORDER BY signals.id
LIMIT :limit::INTEGER;
