-- claim_due_rows
-- halo_engine/journey/claim.py
-- Parameters: org_id uuid, now timestamp with time zone, limit integer
WITH due_series AS MATERIALIZED
  (SELECT asked.automation_id AS automation_id
   FROM
     (SELECT automations.id AS automation_id
      FROM automations
      WHERE automations.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND automations.status = 'active'::VARCHAR) AS asked
   JOIN LATERAL
     (SELECT automation_recipients.id AS id
      FROM automation_recipients
      WHERE automation_recipients.org_id =
          (SELECT :org_id::UUID AS anon_2)
        AND automation_recipients.automation_id = asked.automation_id
        AND automation_recipients.status = 'pending'
        AND automation_recipients.scheduled_for <= :now::TIMESTAMP WITH TIME ZONE
      ORDER BY automation_recipients.scheduled_for,
               automation_recipients.id
      LIMIT 1::INTEGER) AS earliest ON true)
SELECT claimed.automation_id,
       claimed.step_id,
       array_agg(claimed.id) AS recipient_ids
FROM due_series
JOIN LATERAL
  (SELECT automation_recipients.id AS id,
          automation_recipients.automation_id AS automation_id,
          automation_recipients.step_id AS step_id
   FROM automation_recipients
   JOIN automation_enrollments ON automation_enrollments.org_id = automation_recipients.org_id
   AND automation_enrollments.automation_id = automation_recipients.automation_id
   AND automation_enrollments.end_user_id = automation_recipients.end_user_id
   AND automation_enrollments.number = automation_recipients.enrollment_number
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND automation_recipients.automation_id = due_series.automation_id
     AND automation_recipients.status = 'pending'
     AND automation_recipients.scheduled_for <= :now::TIMESTAMP WITH TIME ZONE
   ORDER BY automation_recipients.scheduled_for,
            automation_recipients.id
   LIMIT
     (SELECT greatest(FLOOR(:limit::INTEGER / greatest(count(*), 1::INTEGER)), 1::INTEGER) AS greatest_1
      FROM due_series)
   FOR UPDATE OF automation_recipients,
                 automation_enrollments SKIP LOCKED) AS claimed ON true
GROUP BY claimed.automation_id,
         claimed.step_id;
