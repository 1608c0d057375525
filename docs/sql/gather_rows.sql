-- gather_rows
-- Return the statement for recipient rows, one result each
-- halo_engine/journey/questions.py
-- Parameters: org_id uuid, given_ids, given_series, given_step
SELECT due.end_user_id,
       due.number,
       CASE
           WHEN (due.series = 0::INTEGER) THEN ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
                                                AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true
           ELSE false
       END AS audience_holds,
       EXISTS
  (SELECT *
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND messages.end_user_id = due.end_user_id
     AND messages.automation_id = due.automation_id
     AND (messages.replied_at,
          messages.reply_arrival) > (automation_enrollments.created_at,
                                     automation_enrollments.id)) AS replied,
              EXISTS
  (SELECT *
   FROM event_counts
   WHERE event_counts.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND event_counts.end_user_id = due.end_user_id
     AND event_counts.name = CASE
                                 WHEN (due.series = 0::INTEGER) THEN 'paid'::VARCHAR
                             END
     AND (event_counts.live_at,
          event_counts.live_id) > (automation_enrollments.created_at,
                                   automation_enrollments.id)) AS event,
                     CASE
                         WHEN (due.series = 0::INTEGER) THEN (companies.name = 'Halo'::VARCHAR) IS true
                         ELSE false
                     END AS filter_match,
                     EXISTS
  (SELECT *
   FROM suppressions
   WHERE suppressions.org_id = end_users.org_id
     AND suppressions.address = end_users.address) AS suppressed,
                            automation_enrollments.created_at AS enrolled_at,
                            automation_enrollments.id AS enrollment_id,
                            end_users.company_id AS company_id,
                            automation_enrollments.company_seat AS company_seat,
                            holder.end_user_id AS holder_id,
                            holder.number AS holder_number,
                            holder.created_at AS holder_enrolled_at,
                            holder.id AS holder_enrollment_id,
                            due.series,
                            due.step,
                            due.recipient_id,
                            due.scheduled_for, (end_users.email != ''::VARCHAR) IS true AS has_address,

  (SELECT messages.opened_at IS NOT NULL AS anon_3
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND messages.end_user_id = due.end_user_id
     AND messages.automation_id = due.automation_id
     AND messages.enrollment_number = due.number
     AND messages.state = 'sent'::VARCHAR
     AND messages.recipient_id < due.recipient_id
   ORDER BY messages.recipient_id DESC
   LIMIT 1::INTEGER) AS email_opened,
                                                                                           NULL AS link_clicked,
                                                                                           false AS user_property,
                                                                                                    NULL AS event_fired,
                                                                                                    NULL AS visited,
                                                                                                    NULL AS zone,
                                                                                                    NULL AS first_due,
                                                                                                    NULL AS mailed
FROM end_users
LEFT OUTER JOIN companies ON companies.org_id = end_users.org_id
AND companies.id = end_users.company_id
JOIN
  (SELECT anon_5.series AS series,
          anon_5.step AS step,
          found.recipient_id AS recipient_id,
          found.end_user_id AS end_user_id,
          found.automation_id AS automation_id,
          found.number AS number,
          found.reached_at AS reached_at,
          found.scheduled_for AS scheduled_for,
          found.first_due AS first_due
   FROM unnest(:given_ids::TEXT[], :given_series::INTEGER[], :given_step::INTEGER[]) AS anon_5(ids, series, step)
   JOIN LATERAL
     (SELECT automation_recipients.id AS recipient_id,
             automation_recipients.end_user_id AS end_user_id,
             automation_recipients.automation_id AS automation_id,
             automation_recipients.enrollment_number AS number,
             automation_recipients.created_at AS reached_at,
             automation_recipients.scheduled_for AS scheduled_for,
             coalesce(automation_recipients.first_due, coalesce(automation_recipients.was_due, automation_recipients.scheduled_for)) AS first_due
      FROM automation_recipients
      WHERE automation_recipients.org_id =
          (SELECT :org_id::UUID AS anon_6)
        AND automation_recipients.id = ANY (CAST(anon_5.ids AS BIGINT[]))
      LIMIT ALL
      OFFSET 0) AS found ON true) AS due ON due.end_user_id = end_users.id
JOIN automation_enrollments ON automation_enrollments.org_id =
  (SELECT :org_id::UUID AS anon_7)
AND automation_enrollments.automation_id = due.automation_id
AND automation_enrollments.end_user_id = due.end_user_id
AND automation_enrollments.number = due.number
LEFT OUTER JOIN automation_enrollments AS holder ON automation_enrollments.company_seat IS DISTINCT
FROM end_users.company_id
AND holder.org_id =
  (SELECT :org_id::UUID AS anon_8)
AND holder.company_seat = end_users.company_id
AND holder.ended_at IS NULL
AND holder.automation_id IS NOT DISTINCT
FROM due.automation_id
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_9);
