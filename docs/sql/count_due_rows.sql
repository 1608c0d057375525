-- count_due_rows
-- Count the rows that are due, those apart that wait at an email while mail waits
-- halo_engine/answers/operations/waiting.py
-- Parameters: org_id uuid, now timestamp with time zone
SELECT coalesce(sum(due.number) FILTER (
                                        WHERE NOT (automation_steps.email IS NOT NULL
                                                   AND automation_steps.removed_at IS NULL
                                                   AND false)), 0::INTEGER) AS number,
       min(due.oldest) FILTER (
                               WHERE NOT (automation_steps.email IS NOT NULL
                                          AND automation_steps.removed_at IS NULL
                                          AND false)) AS oldest,
       coalesce(sum(due.number) FILTER (
                                        WHERE automation_steps.email IS NOT NULL
                                          AND automation_steps.removed_at IS NULL
                                          AND false), 0::INTEGER) AS held,
       min(due.oldest) FILTER (
                               WHERE automation_steps.email IS NOT NULL
                                 AND automation_steps.removed_at IS NULL
                                 AND false) AS oldest_held
FROM
  (SELECT automation_recipients.automation_id AS automation_id,
          automation_recipients.step_id AS step_id,
          count(*) AS number,
          min(automation_recipients.scheduled_for) AS oldest
   FROM automation_recipients
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND automation_recipients.status = 'pending'
     AND automation_recipients.scheduled_for <= :now::TIMESTAMP WITH TIME ZONE
   GROUP BY automation_recipients.automation_id,
            automation_recipients.step_id) AS due
JOIN automations ON automations.id = due.automation_id
JOIN automation_steps ON automation_steps.id = due.step_id
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND automation_steps.org_id =
    (SELECT :org_id::UUID AS anon_3)
  AND automations.status = 'active'::VARCHAR;
