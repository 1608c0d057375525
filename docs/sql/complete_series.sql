-- complete_series
-- halo_engine/series/completion.py
-- Parameters: now timestamp with time zone, org_id uuid, series_ids uuid[]
WITH completed AS
  (UPDATE automations
   SET status='completed'::VARCHAR,
       updated_at=:now::TIMESTAMP WITH TIME ZONE
   WHERE automations.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND automations.id = ANY (:series_ids::UUID[])
     AND automations.status IN ('active'::VARCHAR,
                                'paused'::VARCHAR)
     AND NOT (EXISTS
                (SELECT *
                 FROM automation_recipients
                 WHERE automation_recipients.org_id =
                     (SELECT :org_id::UUID AS anon_2)
                   AND automation_recipients.automation_id = automations.id
                   AND automation_recipients.status IN ('pending',
                                                        'processing')))
     AND NOT (EXISTS
                (SELECT *
                 FROM signals
                 WHERE signals.org_id =
                     (SELECT :org_id::UUID AS anon_3)
                   AND signals.automation_id = automations.id
                   AND signals.kind = 'activated'::VARCHAR)) RETURNING automations.id)
UPDATE automation_active_periods
SET ended_at=:now::TIMESTAMP WITH TIME ZONE,
                                       ended_by='completion'::VARCHAR
FROM completed
WHERE automation_active_periods.org_id =
    (SELECT :org_id::UUID AS anon_4)
  AND automation_active_periods.automation_id = completed.id
  AND automation_active_periods.ended_at IS NULL;
