-- reschedule_rows
-- halo_engine/series/rescheduling.py
-- Parameters: step_id uuid, now timestamp with time zone, list_id uuid, org_id uuid, series_id uuid
UPDATE automation_recipients
SET scheduled_for=CASE
                      WHEN (automation_recipients.step_id = :step_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '0 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
                      WHEN (automation_recipients.step_id = :list_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '2 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
                      ELSE NULL
                  END,
                  first_due=NULL
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.automation_id = :series_id::UUID
  AND automation_recipients.parked_at IS NULL
  AND automation_recipients.status = 'pending'
  AND (automation_recipients.step_id = :step_id::UUID
       OR automation_recipients.step_id = :list_id::UUID)
  AND (CASE
           WHEN (automation_recipients.step_id = :step_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '0 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
           WHEN (automation_recipients.step_id = :list_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '2 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
           ELSE NULL
       END != coalesce(automation_recipients.was_due, automation_recipients.scheduled_for)
       OR CASE
              WHEN (automation_recipients.step_id = :step_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '0 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
              WHEN (automation_recipients.step_id = :list_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '2 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
              ELSE NULL
          END != coalesce(automation_recipients.first_due, coalesce(automation_recipients.was_due, automation_recipients.scheduled_for)));
