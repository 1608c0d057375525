-- read_parked_runs
-- halo_engine/pipeline/parked.py
-- Parameters: org_id uuid
SELECT automation_recipients.end_user_id,
       automation_recipients.automation_id
FROM automation_recipients
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.parked_at IS NOT NULL
  AND automation_recipients.status IN ('pending',
                                       'processing');
