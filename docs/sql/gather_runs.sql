-- gather_runs
-- Return the statement for runs, passed as ``given`` with the numbers of their ``series``
-- halo_engine/journey/questions.py
-- Parameters: org_id uuid, given_ordinal, given_end_user_id, given_automation_id, given_number, given_series
SELECT anon_1.end_user_id,
       anon_1.number,
       CASE
           WHEN (anon_1.series = 0::INTEGER) THEN ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
                                                   AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true
           ELSE false
       END AS audience_holds,
       EXISTS
  (SELECT *
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND messages.end_user_id = anon_1.end_user_id
     AND messages.automation_id = anon_1.automation_id
     AND (messages.replied_at,
          messages.reply_arrival) > (automation_enrollments.created_at,
                                     automation_enrollments.id)) AS replied,
              EXISTS
  (SELECT *
   FROM event_counts
   WHERE event_counts.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND event_counts.end_user_id = anon_1.end_user_id
     AND event_counts.name = CASE
                                 WHEN (anon_1.series = 0::INTEGER) THEN 'paid'::VARCHAR
                             END
     AND (event_counts.live_at,
          event_counts.live_id) > (automation_enrollments.created_at,
                                   automation_enrollments.id)) AS event,
                     CASE
                         WHEN (anon_1.series = 0::INTEGER) THEN (companies.name = 'Halo'::VARCHAR) IS true
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
                            anon_1.ordinal
FROM end_users
LEFT OUTER JOIN companies ON companies.org_id = end_users.org_id
AND companies.id = end_users.company_id
JOIN unnest(:given_ordinal::INTEGER[], :given_end_user_id::UUID[], :given_automation_id::UUID[], :given_number::INTEGER[], :given_series::INTEGER[]) AS anon_1(ordinal, end_user_id, automation_id, number, series) ON end_users.id = anon_1.end_user_id
JOIN automation_enrollments ON automation_enrollments.org_id =
  (SELECT :org_id::UUID AS anon_4)
AND automation_enrollments.automation_id = anon_1.automation_id
AND automation_enrollments.end_user_id = anon_1.end_user_id
AND automation_enrollments.number = anon_1.number
LEFT OUTER JOIN automation_enrollments AS holder ON automation_enrollments.company_seat IS DISTINCT
FROM end_users.company_id
AND holder.org_id =
  (SELECT :org_id::UUID AS anon_5)
AND holder.company_seat = end_users.company_id
AND holder.ended_at IS NULL
AND holder.automation_id IS NOT DISTINCT
FROM anon_1.automation_id
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_6);
