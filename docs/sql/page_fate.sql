-- page_fate
-- halo_engine/answers/plans/pages.py
-- Parameters: now timestamp with time zone, org_id uuid, step_id uuid, list_id uuid, series_id uuid, limit integer
SELECT fates.recipient_id AS id,
       fates.end_user_id AS contact_id,
       shown.external_id,
       shown.email,
       shown.name,
       fates.step_id,
       fates.exit_reason,
       fates.next_id,
       fates.was_due AS due_before,
       fates.due AS due_after
FROM
  (SELECT "left".recipient_id AS recipient_id,
          "left".end_user_id AS end_user_id,
          "left".step_id AS step_id,
          "left".company_id AS company_id,
          "left".exit_reason AS exit_reason,
          CASE
              WHEN ("left".exit_reason IS NULL) THEN "left".next_id
          END AS next_id,
          "left".was_due AS was_due,
          CASE
              WHEN "left".is_moved THEN "left".due
              ELSE "left".was_due
          END AS due,
          CASE
              WHEN ("left".recipient_id IS NULL) THEN NULL
              WHEN ("left".exit_reason IS NOT NULL) THEN 'exits'::VARCHAR
              WHEN ("left".is_removed
                    AND "left".next_id IS NULL) THEN 'completes'::VARCHAR
              WHEN "left".is_removed THEN 'skips_step'::VARCHAR
              WHEN ("left".is_moved
                    AND "left".due <= :now::TIMESTAMP WITH TIME ZONE) THEN 'sent_now'::VARCHAR
              WHEN "left".is_moved THEN 'rescheduled'::VARCHAR
              ELSE 'stays'::VARCHAR
          END AS fate
   FROM
     (SELECT judged.series AS series,
             judged.recipient_id AS recipient_id,
             judged.automation_id AS automation_id,
             judged.number AS number,
             judged.step_id AS step_id,
             judged.is_removed AS is_removed,
             judged.next_id AS next_id,
             judged.is_moved AS is_moved,
             judged.due AS due,
             judged.was_due AS was_due,
             judged.end_user_id AS end_user_id,
             judged.company_id AS company_id,
             judged.enrolled_at AS enrolled_at,
             judged.enrollment_id AS enrollment_id,
             judged.audience_holds AS audience_holds,
             judged.replied AS replied,
             judged.event AS event,
             judged.filter_match AS filter_match,
             judged.suppressed AS suppressed,
             judged.rule AS rule,
             coalesce(judged.rule, CASE
                                       WHEN (judged.recipient_id IS NOT NULL
                                             AND judged.company_id IS NOT NULL
                                             AND judged.rule IS NULL
                                             AND row_number() OVER (PARTITION BY judged.company_id, judged.recipient_id IS NULL, judged.rule IS NULL
                                                                    ORDER BY judged.enrolled_at, judged.enrollment_id) > 1::INTEGER) THEN 'company_already_enrolled'::VARCHAR
                                   END) AS exit_reason
      FROM
        (SELECT answered.series AS series,
                answered.recipient_id AS recipient_id,
                answered.automation_id AS automation_id,
                answered.number AS number,
                answered.step_id AS step_id,
                answered.is_removed AS is_removed,
                answered.next_id AS next_id,
                answered.is_moved AS is_moved,
                answered.due AS due,
                answered.was_due AS was_due,
                answered.end_user_id AS end_user_id,
                answered.company_id AS company_id,
                answered.enrolled_at AS enrolled_at,
                answered.enrollment_id AS enrollment_id,
                answered.audience_holds AS audience_holds,
                answered.replied AS replied,
                answered.event AS event,
                answered.filter_match AS filter_match,
                answered.suppressed AS suppressed,
                CASE
                    WHEN (answered.recipient_id IS NOT NULL) THEN CASE
                                                                      WHEN answered.replied THEN 'replied'::VARCHAR
                                                                      WHEN NOT answered.audience_holds THEN 'segment_leave'::VARCHAR
                                                                      WHEN answered.event THEN 'event'::VARCHAR
                                                                      WHEN answered.filter_match THEN 'filter_match'::VARCHAR
                                                                      WHEN answered.suppressed THEN 'suppressed'::VARCHAR
                                                                      ELSE NULL
                                                                  END
                END AS rule
         FROM
           (SELECT given.series AS series,
                   given.recipient_id AS recipient_id,
                   given.automation_id AS automation_id,
                   given.number AS number,
                   given.step_id AS step_id,
                   given.is_removed AS is_removed,
                   given.next_id AS next_id,
                   given.is_moved AS is_moved,
                   given.due AS due,
                   given.was_due AS was_due,
                   end_users.id AS end_user_id,
                   end_users.company_id AS company_id,
                   automation_enrollments.created_at AS enrolled_at,
                   automation_enrollments.id AS enrollment_id,
                   CASE
                       WHEN (given.series = 0::INTEGER) THEN ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
                                                              AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true
                       ELSE false
                   END AS audience_holds,
                   EXISTS
              (SELECT *
               FROM messages
               WHERE messages.org_id =
                   (SELECT :org_id::UUID AS anon_1)
                 AND messages.end_user_id = given.end_user_id
                 AND messages.automation_id = given.automation_id
                 AND (messages.replied_at,
                      messages.reply_arrival) > (automation_enrollments.created_at,
                                                 automation_enrollments.id)) AS replied,
                          EXISTS
              (SELECT *
               FROM event_counts
               WHERE event_counts.org_id =
                   (SELECT :org_id::UUID AS anon_2)
                 AND event_counts.end_user_id = given.end_user_id
                 AND event_counts.name = CASE
                                             WHEN (given.series = 0::INTEGER) THEN 'paid'::VARCHAR
                                         END
                 AND (event_counts.live_at,
                      event_counts.live_id) > (automation_enrollments.created_at,
                                               automation_enrollments.id)) AS event,
                                 CASE
                                     WHEN (given.series = 0::INTEGER) THEN (companies.name = 'Halo'::VARCHAR) IS true
                                     ELSE false
                                 END AS filter_match,
                                 EXISTS
              (SELECT *
               FROM suppressions
               WHERE suppressions.org_id = end_users.org_id
                 AND suppressions.address = end_users.address) AS suppressed
            FROM end_users
            LEFT OUTER JOIN companies ON companies.org_id = end_users.org_id
            AND companies.id = end_users.company_id
            JOIN
              (SELECT 0::INTEGER AS series,
                      automation_recipients.id AS recipient_id,
                      automation_recipients.end_user_id AS end_user_id,
                      automation_recipients.automation_id AS automation_id,
                      automation_recipients.enrollment_number AS number,
                      automation_recipients.step_id AS step_id,
                      automation_recipients.step_id IN (NULL)
               AND (1 != 1) AS is_removed,
                   CASE
                       WHEN (automation_recipients.step_id IN (NULL)
                             AND (1 != 1)) THEN NULL::UUID
                   END AS next_id, (automation_recipients.status = 'pending'
                                    AND (automation_recipients.step_id = :step_id::UUID
                                         OR automation_recipients.step_id = :list_id::UUID)
                                    AND CASE
                                            WHEN (automation_recipients.step_id = :step_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '0 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
                                            WHEN (automation_recipients.step_id = :list_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '2 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
                                            ELSE NULL
                                        END != coalesce(automation_recipients.was_due, automation_recipients.scheduled_for)
                                    AND NOT (coalesce(automation_recipients.was_due, automation_recipients.scheduled_for) <= :now::TIMESTAMP WITH TIME ZONE
                                             AND CASE
                                                     WHEN (automation_recipients.step_id = :step_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '0 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
                                                     WHEN (automation_recipients.step_id = :list_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '2 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
                                                     ELSE NULL
                                                 END <= :now::TIMESTAMP WITH TIME ZONE)) IS true AS is_moved,
                                                                                                    CASE
                                                                                                        WHEN (automation_recipients.step_id = :step_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '0 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
                                                                                                        WHEN (automation_recipients.step_id = :list_id::UUID) THEN greatest(automation_recipients.created_at + INTERVAL '2 days 0 seconds', :now::TIMESTAMP WITH TIME ZONE)
                                                                                                        ELSE NULL
                                                                                                    END AS due,
                                                                                                    coalesce(automation_recipients.was_due, automation_recipients.scheduled_for) AS was_due
               FROM automation_recipients
               WHERE automation_recipients.org_id =
                   (SELECT :org_id::UUID AS anon_3)
                 AND automation_recipients.automation_id =
                   (SELECT :series_id::UUID AS anon_4)
                 AND automation_recipients.status IN ('pending',
                                                      'processing')) AS given ON given.end_user_id = end_users.id
            JOIN automation_enrollments ON automation_enrollments.org_id =
              (SELECT :org_id::UUID AS anon_5)
            AND automation_enrollments.automation_id = given.automation_id
            AND automation_enrollments.end_user_id = given.end_user_id
            AND automation_enrollments.number = given.number
            WHERE end_users.org_id =
                (SELECT :org_id::UUID AS anon_6)) AS answered) AS judged
      LIMIT ALL
      OFFSET '0') AS "left") AS fates
JOIN end_users AS shown ON shown.org_id =
  (SELECT :org_id::UUID AS anon_7)
AND shown.id = fates.end_user_id
WHERE fates.fate = 'stays'::VARCHAR
ORDER BY fates.recipient_id
LIMIT :limit::INTEGER;
