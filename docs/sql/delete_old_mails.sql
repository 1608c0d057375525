-- delete_old_mails
-- Walk in order of the rows that the mails are of
-- halo_engine/retention/mails.py
-- Parameters: org_id uuid, limit integer, cut timestamp with time zone
WITH page AS
  (SELECT messages.recipient_id AS recipient_id,
          messages.end_user_id AS end_user_id,
          messages.automation_id AS automation_id,
          messages.enrollment_number AS number,
          greatest(messages.intended_at, messages.sent_at) AS at
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_1)
   ORDER BY messages.recipient_id
   LIMIT :limit::INTEGER),
     unread AS
  (SELECT page.recipient_id AS recipient_id,
          page.end_user_id AS end_user_id
   FROM page
   WHERE page.at < :cut::TIMESTAMP WITH TIME ZONE
     AND NOT (EXISTS
                (SELECT *
                 FROM automation_enrollments
                 WHERE automation_enrollments.org_id =
                     (SELECT :org_id::UUID AS anon_2)
                   AND automation_enrollments.automation_id = page.automation_id
                   AND automation_enrollments.end_user_id = page.end_user_id
                   AND automation_enrollments.ended_at IS NULL))
     AND NOT (EXISTS
                (SELECT *
                 FROM bounce_reports
                 WHERE bounce_reports.org_id =
                     (SELECT :org_id::UUID AS anon_3)
                   AND bounce_reports.recipient_id = page.recipient_id))),
     whose AS
  (SELECT end_users.id AS id
   FROM end_users
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND end_users.id IN
       (SELECT unread.end_user_id
        FROM unread)
     FOR KEY SHARE SKIP LOCKED),
     "old" AS
  (SELECT messages.recipient_id AS recipient_id
   FROM unread
   JOIN whose ON whose.id = unread.end_user_id
   JOIN messages ON messages.org_id =
     (SELECT :org_id::UUID AS anon_5)
   AND messages.recipient_id = unread.recipient_id
   WHERE messages.state != 'intended'
     AND greatest(messages.intended_at, messages.sent_at) < :cut::TIMESTAMP WITH TIME ZONE
     FOR
     UPDATE OF messages SKIP LOCKED),
     gone AS
  (DELETE
   FROM messages USING "old"
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_6)
     AND messages.recipient_id = "old".recipient_id RETURNING messages.org_id,
                                                              messages.recipient_id,
                                                              messages.end_user_id,
                                                              messages.automation_id,
                                                              messages.enrollment_number,
                                                              messages.step_id,
                                                              messages.state,
                                                              messages.message_id,
                                                              messages.relay_id,
                                                              messages.to_address,
                                                              messages.intended_at,
                                                              messages.sent_at,
                                                              messages.error,
                                                              messages.marketing,
                                                              messages.opened_at,
                                                              messages.clicked_at,
                                                              messages.machine_opened_at,
                                                              messages.machine_clicked_at,
                                                              messages.replied_at,
                                                              messages.reply_arrival),
     readers_kept AS
  (INSERT INTO former_mails (org_id, recipient_id, end_user_id, to_address) SELECT gone.org_id AS org_id,
                                                                                   gone.recipient_id AS recipient_id,
                                                                                   gone.end_user_id AS end_user_id,
                                                                                   gone.to_address AS to_address
   FROM gone ON CONFLICT DO NOTHING),
     counted AS
  (INSERT INTO cleared_mails (org_id, automation_id, step_id, unknown, sent, opened, clicked, replied, machine_opened, machine_clicked) SELECT gone.org_id AS org_id,
                                                                                                                                               gone.automation_id AS automation_id,
                                                                                                                                               gone.step_id AS step_id,
                                                                                                                                               count(*) FILTER (
                                                                                                                                                                WHERE gone.state = 'unknown'::VARCHAR) AS unknown,
                                                                                                                                               count(gone.sent_at) AS sent,
                                                                                                                                               count(gone.opened_at) AS opened,
                                                                                                                                               count(gone.clicked_at) AS clicked,
                                                                                                                                               count(gone.replied_at) AS replied,
                                                                                                                                               count(gone.machine_opened_at) AS machine_opened,
                                                                                                                                               count(gone.machine_clicked_at) AS machine_clicked
   FROM gone
   GROUP BY gone.org_id,
            gone.automation_id,
            gone.step_id ON CONFLICT (org_id,
                                      automation_id,
                                      step_id) DO UPDATE
   SET unknown = (cleared_mails.unknown + excluded.unknown), sent = (cleared_mails.sent + excluded.sent),
                                                             opened = (cleared_mails.opened + excluded.opened),
                                                             clicked = (cleared_mails.clicked + excluded.clicked),
                                                             replied = (cleared_mails.replied + excluded.replied),
                                                             machine_opened = (cleared_mails.machine_opened + excluded.machine_opened),
                                                             machine_clicked = (cleared_mails.machine_clicked + excluded.machine_clicked))
SELECT max(page.recipient_id) AS max_1,
       coalesce(bool_or(page.at >= :cut::TIMESTAMP WITH TIME ZONE
                        AND automation_enrollments.created_at >= :cut::TIMESTAMP WITH TIME ZONE), true) AS coalesce_1,

  (SELECT count(*) AS count_1
   FROM gone) AS anon_7
FROM page
LEFT OUTER JOIN automation_enrollments ON automation_enrollments.org_id =
  (SELECT :org_id::UUID AS anon_8)
AND automation_enrollments.automation_id = page.automation_id
AND automation_enrollments.end_user_id = page.end_user_id
AND automation_enrollments.number = page.number;
