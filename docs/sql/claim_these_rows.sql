-- claim_these_rows
-- halo_engine/journey/claim.py
-- Parameters: org_id uuid, row_ids bigint[], series_ids uuid[], now timestamp with time zone
SELECT claimed.automation_id,
       claimed.step_id,
       array_agg(claimed.id) AS recipient_ids
FROM
  (SELECT automation_recipients.id AS id,
          automation_recipients.automation_id AS automation_id,
          automation_recipients.step_id AS step_id
   FROM automation_recipients
   JOIN automation_enrollments ON automation_enrollments.org_id = automation_recipients.org_id
   AND automation_enrollments.automation_id = automation_recipients.automation_id
   AND automation_enrollments.end_user_id = automation_recipients.end_user_id
   AND automation_enrollments.number = automation_recipients.enrollment_number
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND automation_recipients.id = ANY (:row_ids::BIGINT[])
     AND automation_recipients.automation_id = ANY (:series_ids::UUID[])
     AND automation_recipients.status = 'pending'
     AND automation_recipients.scheduled_for <= :now::TIMESTAMP WITH TIME ZONE
   ORDER BY automation_recipients.scheduled_for,
            automation_recipients.id
   FOR UPDATE OF automation_recipients,
                 automation_enrollments SKIP LOCKED) AS claimed
GROUP BY claimed.automation_id,
         claimed.step_id;
