-- measure_due_rows
-- halo_engine/answers/operations/measures.py
-- Parameters: now timestamp with time zone
SELECT count(*) AS number,
       min(automation_recipients.scheduled_for) AS oldest
FROM automation_recipients
JOIN automations ON automations.org_id = automation_recipients.org_id
AND automations.id = automation_recipients.automation_id
WHERE automation_recipients.status = 'pending'
  AND automation_recipients.scheduled_for <= :now::TIMESTAMP WITH TIME ZONE
  AND automations.status = 'active'::VARCHAR;
