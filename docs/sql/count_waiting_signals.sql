-- count_waiting_signals
-- Count the signals that nobody has handled; the oldest tells since when
-- halo_engine/answers/operations/waiting.py
-- Parameters: org_id uuid
SELECT count(*) AS number,
       min(signals.created_at) AS oldest
FROM signals
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.parked_at IS NULL
  AND NOT (EXISTS
             (SELECT *
              FROM automations
              WHERE signals.kind = 'activated'::VARCHAR
                AND automations.org_id = signals.org_id
                AND automations.id = signals.automation_id
                AND automations.status = 'paused'::VARCHAR));
