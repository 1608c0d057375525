-- read_run_steps
-- halo_engine/answers/explain/runs.py
-- Parameters: org_id uuid, contact_id uuid, series_id uuid
SELECT coalesce(rows.enrollment_number, mails.enrollment_number) AS number,
       coalesce(rows.step_id, mails.step_id) AS step_id,
       rows.status,
       coalesce(rows.reason, rows.exit_reason) AS reason,
       rows.created_at AS reached_at,
       coalesce(rows.was_due, rows.scheduled_for) AS due_at,
       rows.finished_at AS decided_at,
       mails.message_id,
       mails.state,
       mails.sent_at,
       mails.opened_at,
       mails.clicked_at,
       mails.replied_at
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
     AND automation_recipients.end_user_id = :contact_id::UUID
     AND automation_recipients.automation_id = :series_id::UUID) AS rows
FULL OUTER JOIN
  (SELECT messages.org_id AS org_id,
          messages.recipient_id AS recipient_id,
          messages.end_user_id AS end_user_id,
          messages.automation_id AS automation_id,
          messages.enrollment_number AS enrollment_number,
          messages.step_id AS step_id,
          messages.state AS state,
          messages.message_id AS message_id,
          messages.relay_id AS relay_id,
          messages.to_address AS to_address,
          messages.intended_at AS intended_at,
          messages.sent_at AS sent_at,
          messages.error AS error,
          messages.marketing AS marketing,
          messages.opened_at AS opened_at,
          messages.clicked_at AS clicked_at,
          messages.machine_opened_at AS machine_opened_at,
          messages.machine_clicked_at AS machine_clicked_at,
          messages.replied_at AS replied_at,
          messages.reply_arrival AS reply_arrival
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.automation_id = :series_id::UUID) AS mails ON mails.recipient_id = rows.id
ORDER BY coalesce(rows.id, mails.recipient_id);
