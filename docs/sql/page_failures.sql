-- page_failures
-- halo_engine/answers/reports/failures.py
-- Parameters: org_id uuid, series_id uuid, mail_state text, limit integer
SELECT failed.id,
       failed.automation_id,
       failed.step_id,
       failed.contact_id,
       failed.number,
       failed.status,
       failed.reason,
       failed.at,
       failed.to_address,
       automations.key AS series,
       automation_steps.key AS step,
       coalesce(end_users.external_id, end_users.email) AS contact,
       coalesce(failed.to_address, end_users.email) AS email
FROM
  (SELECT automation_recipients.id AS id,
          automation_recipients.automation_id AS automation_id,
          automation_recipients.step_id AS step_id,
          automation_recipients.end_user_id AS contact_id,
          automation_recipients.enrollment_number AS number,
          automation_recipients.status AS status,
          automation_recipients.reason AS reason,
          automation_recipients.finished_at AS at,
          messages.to_address AS to_address
   FROM automation_recipients
   LEFT OUTER JOIN messages ON messages.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND messages.recipient_id = automation_recipients.id
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_recipients.automation_id = :series_id::UUID
     AND (automation_recipients.status = 'failed'::VARCHAR
          OR automation_recipients.status = 'skipped'::VARCHAR
          AND automation_recipients.reason IN ('no_email'::VARCHAR,
                                               'unsubscribed'::VARCHAR,
                                               'quiet_hours'::VARCHAR,
                                               'too_late'::VARCHAR,
                                               'frequency_cap'::VARCHAR))
   UNION ALL SELECT messages.recipient_id AS recipient_id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.end_user_id AS end_user_id,
                    messages.enrollment_number AS enrollment_number,
                    :mail_state::VARCHAR AS anon_3,
                    coalesce(messages.error, 'outcome_unknown'::VARCHAR) AS coalesce_1,
                    messages.intended_at AS intended_at,
                    messages.to_address AS to_address
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND messages.automation_id = :series_id::UUID
     AND messages.state IN (:mail_state::VARCHAR,
                            'unknown'::VARCHAR)
     AND NOT (EXISTS
                (SELECT *
                 FROM automation_recipients
                 WHERE automation_recipients.org_id =
                     (SELECT :org_id::UUID AS anon_5)
                   AND automation_recipients.id = messages.recipient_id))) AS failed
JOIN automations ON automations.org_id =
  (SELECT :org_id::UUID AS anon_6)
AND automations.id = failed.automation_id
JOIN automation_steps ON automation_steps.org_id =
  (SELECT :org_id::UUID AS anon_7)
AND automation_steps.id = failed.step_id
JOIN end_users ON end_users.org_id =
  (SELECT :org_id::UUID AS anon_8)
AND end_users.id = failed.contact_id
ORDER BY failed.id DESC
LIMIT :limit::INTEGER;
