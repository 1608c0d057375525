-- gather_sample_values
-- halo_engine/mail/composing/values.py
-- Parameters: org_id uuid, series_id uuid, contact_id uuid
SELECT first.kept -> 'plan'::VARCHAR AS value_0
FROM
  (SELECT kept.kept AS kept
   FROM
     (SELECT of_run.place AS place,
             of_run.kept AS kept
      FROM
        (SELECT 1 AS place,
                automation_enrollments.event_properties AS kept
         FROM automation_enrollments
         WHERE automation_enrollments.org_id =
             (SELECT :org_id::UUID AS anon_1)
           AND automation_enrollments.automation_id = :series_id::UUID
           AND automation_enrollments.end_user_id = :contact_id::UUID
         ORDER BY automation_enrollments.number DESC
         LIMIT 1::INTEGER) AS of_run
      UNION ALL SELECT of_event.place AS place,
                       of_event.kept AS kept
      FROM
        (SELECT 2 AS place,
                nullif(CASE
                           WHEN (events.left_out IS NULL) THEN events.properties
                           ELSE events.properties - events.left_out
                       END, '{}'::jsonb) AS kept
         FROM events
         WHERE events.org_id =
             (SELECT :org_id::UUID AS anon_2)
           AND events.end_user_id = :contact_id::UUID
           AND events.name IS NULL
           AND events.live
         ORDER BY events.happened_at DESC,
                  events.id DESC
         LIMIT 1::INTEGER) AS of_event) AS kept
   ORDER BY kept.place
   LIMIT 1::INTEGER) AS first;
