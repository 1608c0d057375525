-- find_needed_events
-- Find the oldest run that compares events, and what else has yet to read an event: signals, contacts who are held, and those who wait for data
-- halo_engine/retention/cuts.py
-- Parameters: org_id uuid, series_id uuid
SELECT
  (SELECT min(automation_enrollments.created_at) AS min_1
   FROM
     (SELECT automation_recipients.automation_id AS automation_id,
             automation_recipients.end_user_id AS end_user_id,
             automation_recipients.enrollment_number AS number
      FROM automation_recipients
      WHERE automation_recipients.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND automation_recipients.automation_id IN (:series_id::UUID)
        AND automation_recipients.status IN ('pending',
                                             'processing')) AS going_on
   JOIN automation_enrollments ON automation_enrollments.org_id = automation_enrollments.org_id
   AND automation_enrollments.automation_id = going_on.automation_id
   AND automation_enrollments.end_user_id = going_on.end_user_id
   AND automation_enrollments.number = going_on.number
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_2)) AS run,

  (SELECT min(signals.happened_at) AS min_2
   FROM signals
   WHERE signals.org_id =
       (SELECT :org_id::UUID AS anon_3)) AS signal,

  (SELECT min(held_entries.held_at) AS min_3
   FROM held_entries
   WHERE held_entries.org_id =
       (SELECT :org_id::UUID AS anon_4)) AS held,

  (SELECT min(waiting_entries.fired_at) AS min_4
   FROM waiting_entries
   WHERE waiting_entries.org_id =
       (SELECT :org_id::UUID AS anon_5)) AS waiting;
