-- read_these_signals
-- halo_engine/pipeline/signals/inbox.py
-- Parameters: org_id uuid, signal_ids bigint[]
SELECT signals.org_id,
       signals.id,
       signals.kind,
       signals.end_user_id,
       signals.company_id,
       signals.automation_id,
       signals.changed,
       signals.event_name,
       signals.happened_at,
       signals.created_at,
       signals.cursor,
       signals.attempts,
       signals.parked_at,
       signals.error,
       signals.retry_at,
       signals.failed_at,
       signals.tries,
       coalesce(signals.event_id, CASE
                                      WHEN (signals.kind = 'event') THEN
                                             (SELECT max(events.id) AS max_1
                                              FROM events
                                              WHERE events.org_id = signals.org_id
                                                AND events.end_user_id = signals.end_user_id
                                                AND events.name = signals.event_name
                                                AND events.happened_at = signals.happened_at
                                                AND events.created_at > signals.happened_at - interval '1 day')
                                  END) AS event_id
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
                AND automations.status = 'paused'::VARCHAR))
  AND signals.id = ANY (:signal_ids::BIGINT[])
ORDER BY signals.id;
