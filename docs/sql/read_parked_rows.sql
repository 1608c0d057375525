-- read_parked_rows
-- halo_engine/answers/operations/parked.py
-- Parameters: org_id uuid, series_key text, limit integer
SELECT automations.key AS series,
       automation_steps.key AS step,
       coalesce(end_users.external_id, end_users.email, CAST(end_users.id AS TEXT)) AS contact,
       automation_recipients.was_due AS due,
       automation_recipients.id,
       automation_recipients.tries,
       automation_recipients.retry_at,
       automation_recipients.error,
       coalesce(automation_recipients.failed_at, automation_recipients.parked_at) AS failed_at
FROM automation_recipients
JOIN automations ON automation_recipients.org_id = automations.org_id
AND automation_recipients.automation_id = automations.id
JOIN automation_steps ON automation_recipients.org_id = automation_steps.org_id
AND automation_recipients.step_id = automation_steps.id
JOIN end_users ON automation_recipients.org_id = end_users.org_id
AND automation_recipients.end_user_id = end_users.id
WHERE automation_recipients.status IN ('pending',
                                       'processing')
  AND automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.parked_at IS NOT NULL
  AND automation_recipients.status IN ('pending',
                                       'processing')
  AND automations.key = :series_key::VARCHAR
ORDER BY automation_recipients.id
LIMIT :limit::INTEGER;
