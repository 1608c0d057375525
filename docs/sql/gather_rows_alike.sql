-- gather_rows_alike
-- Return the same with one result for all rows whose facts are equal, ordered by the earliest due; rows at steps whose numbers are in ``alone`` come one by one
-- halo_engine/journey/questions.py
-- Parameters: org_id uuid, given_ids, given_series, given_step
SELECT facts.audience_holds,
       facts.replied,
       facts.event,
       facts.filter_match,
       facts.suppressed,
       facts.series,
       facts.step,
       facts.has_address,
       facts.email_opened,
       facts.link_clicked,
       facts.user_property,
       facts.event_fired,
       facts.visited,
       facts.zone,
       facts.first_due,
       facts.mailed,
       (array_agg(facts.end_user_id))[1::INTEGER] AS end_user_id,
       (array_agg(facts.number))[1::INTEGER] AS number,
       (array_agg(facts.enrolled_at))[1::INTEGER] AS enrolled_at,
       (array_agg(facts.enrollment_id))[1::INTEGER] AS enrollment_id,
       (array_agg(facts.company_id))[1::INTEGER] AS company_id,
       (array_agg(facts.company_seat))[1::INTEGER] AS company_seat,
       (array_agg(facts.holder_id))[1::INTEGER] AS holder_id,
       (array_agg(facts.holder_number))[1::INTEGER] AS holder_number,
       (array_agg(facts.holder_enrolled_at))[1::INTEGER] AS holder_enrolled_at,
       (array_agg(facts.holder_enrollment_id))[1::INTEGER] AS holder_enrollment_id,
       array_agg(facts.recipient_id) AS recipient_ids
FROM
  (SELECT due.end_user_id AS end_user_id,
          due.number AS number,
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
                               due.series AS series,
                               due.step AS step,
                               due.recipient_id AS recipient_id,
                               due.scheduled_for AS scheduled_for, (end_users.email != ''::VARCHAR) IS true AS has_address,

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
       (SELECT :org_id::UUID AS anon_9)) AS facts
GROUP BY facts.audience_holds,
         facts.replied,
         facts.event,
         facts.filter_match,
         facts.suppressed,
         facts.series,
         facts.step,
         facts.has_address,
         facts.email_opened,
         facts.link_clicked,
         facts.user_property,
         facts.event_fired,
         facts.visited,
         facts.zone,
         facts.first_due,
         facts.mailed,
         CASE
             WHEN (facts.step = ANY ('{}'::INTEGER[])) THEN facts.recipient_id
         END
ORDER BY min(facts.scheduled_for),
         min(facts.recipient_id);
