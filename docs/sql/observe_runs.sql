-- observe_runs
-- halo_engine/journey/observe.py
-- Parameters: series_id uuid, org_id uuid, series_ids uuid[], contact_ids uuid[], now timestamp with time zone
WITH seen AS
  (SELECT automation_enrollments.end_user_id AS end_user_id,
          automation_enrollments.automation_id AS automation_id,
          automation_enrollments.number AS number,
          CASE
              WHEN (automation_enrollments.automation_id = :series_id::UUID) THEN automation_enrollments.outside_by_definition = (((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
                                                                                                                                   AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true)
              ELSE false
          END
   AND NOT automation_enrollments.left_audience
   AND NOT (EXISTS
              (SELECT later.id
               FROM automation_enrollments AS later
               WHERE later.org_id = automation_enrollments.org_id
                 AND later.end_user_id = automation_enrollments.end_user_id
                 AND later.automation_id = automation_enrollments.automation_id
                 AND later.number > automation_enrollments.number)) AS has_left,
           CAST(CASE
                    WHEN (automation_enrollments.automation_id = :series_id::UUID
                          AND automation_enrollments.converted_at IS NULL
                          AND automation_enrollments.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) THEN (
                                                                                                                                  (SELECT count(*) AS count_1
                                                                                                                                   FROM events
                                                                                                                                   WHERE events.org_id = automation_enrollments.org_id
                                                                                                                                     AND events.end_user_id = automation_enrollments.end_user_id
                                                                                                                                     AND events.name = 'login'::VARCHAR
                                                                                                                                     AND (events.happened_at, events.id) > (automation_enrollments.created_at, automation_enrollments.id)
                                                                                                                                     AND events.created_at > automation_enrollments.created_at - interval '1 day') >= '3') IS true
                END AS BOOLEAN) AS goal_holds
   FROM end_users
   JOIN automation_enrollments ON automation_enrollments.org_id = end_users.org_id
   AND automation_enrollments.end_user_id = end_users.id
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND array_position(:series_ids::UUID[], automation_enrollments.automation_id) IS NOT NULL
     AND end_users.id = ANY (:contact_ids::UUID[]))
UPDATE automation_enrollments
SET left_audience=(automation_enrollments.left_audience
                   OR seen.has_left),
    goal_held=coalesce(seen.goal_holds, automation_enrollments.goal_held),
    converted_at=CASE
                     WHEN (seen.goal_holds
                           AND NOT automation_enrollments.goal_held) THEN :now::TIMESTAMP WITH TIME ZONE
                     ELSE automation_enrollments.converted_at
                 END
FROM seen
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND automation_enrollments.end_user_id = seen.end_user_id
  AND automation_enrollments.automation_id = seen.automation_id
  AND automation_enrollments.number = seen.number
  AND (seen.has_left
       OR automation_enrollments.goal_held != seen.goal_holds);
