-- close_early_gates
-- halo_engine/series/early_gates.py
-- Parameters: org_id uuid, series_id uuid, now timestamp with time zone
UPDATE automation_recipients
SET scheduled_for=automation_recipients.latest_due,
    latest_due=NULL
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.automation_id = :series_id::UUID
  AND automation_recipients.status = 'pending'
  AND automation_recipients.scheduled_for <= :now::TIMESTAMP WITH TIME ZONE
  AND automation_recipients.parked_at IS NULL
  AND automation_recipients.latest_due IS NOT NULL;
