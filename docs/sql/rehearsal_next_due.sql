-- rehearsal_next_due
-- halo_engine/rehearsal/calendar.py
-- Parameters: org_id uuid, now timestamp with time zone
SELECT min(automation_recipients.scheduled_for) AS min_1
FROM automation_recipients
JOIN automations ON automations.org_id = automation_recipients.org_id
AND automations.id = automation_recipients.automation_id
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.status = 'pending'
  AND automations.status = 'active'::VARCHAR
  AND automation_recipients.scheduled_for > :now::TIMESTAMP WITH TIME ZONE;
