-- page_recipients
-- halo_engine/answers/reports/recipients.py
-- Parameters: org_id uuid, series_id uuid, limit integer
SELECT page.id,
       page.status,
       page.reason,
       page.exit_reason,
       page.created_at,
       page.scheduled_for,
       page.finished_at,
       page.end_user_id AS contact_id,
       page.enrollment_number AS number,
       coalesce(end_users.external_id, end_users.email, CAST(end_users.id AS TEXT)) AS contact,
       end_users.email,
       automation_steps.key AS step
FROM
  (SELECT automation_recipients.org_id AS org_id,
          automation_recipients.id AS id,
          automation_recipients.automation_id AS automation_id,
          automation_recipients.step_id AS step_id,
          automation_recipients.end_user_id AS end_user_id,
          automation_recipients.enrollment_number AS enrollment_number,
          automation_recipients.status AS status,
          automation_recipients.reason AS reason,
          automation_recipients.exit_reason AS exit_reason,
          automation_recipients.scheduled_for AS scheduled_for,
          automation_recipients.created_at AS created_at,
          automation_recipients.finished_at AS finished_at,
          automation_recipients.lease_token AS lease_token,
          automation_recipients.lease_expires_at AS lease_expires_at,
          automation_recipients.attempts AS attempts,
          automation_recipients.parked_at AS parked_at,
          automation_recipients.error AS error,
          automation_recipients.retry_at AS retry_at,
          automation_recipients.was_due AS was_due,
          automation_recipients.first_due AS first_due,
          automation_recipients.failed_at AS failed_at,
          automation_recipients.tries AS tries,
          automation_recipients.latest_due AS latest_due
   FROM automation_recipients
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND automation_recipients.automation_id = :series_id::UUID
     AND automation_recipients.status = 'pending'::VARCHAR
   ORDER BY automation_recipients.id DESC
   LIMIT :limit::INTEGER) AS page
JOIN automation_steps ON automation_steps.org_id =
  (SELECT :org_id::UUID AS anon_2)
AND automation_steps.id = page.step_id
JOIN end_users ON end_users.org_id =
  (SELECT :org_id::UUID AS anon_3)
AND end_users.id = page.end_user_id
ORDER BY page.id DESC;
