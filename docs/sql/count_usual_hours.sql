-- count_usual_hours
-- Count by series, activity and hour; hour 0 is the last whole one, 168 a week before it
-- halo_engine/answers/operations/usual_hours.py
SELECT automations.org_id,
       automations.key,
       counted.activity,
       counted.hour,
       counted.number
FROM
  (SELECT happened.org_id AS org_id,
          happened.automation_id AS automation_id,
          happened.activity AS activity,
          CAST(ceil(EXTRACT(epoch
                            FROM date_trunc('hour'::VARCHAR, timezone(organizations.timezone, '2026-11-28 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE)) - timezone(organizations.timezone, happened.at)) / CAST(3600::INTEGER AS NUMERIC)) AS INTEGER) - 1::INTEGER AS hour,
          count(*) AS number
   FROM
     (SELECT automation_enrollments.org_id AS org_id,
             automation_enrollments.automation_id AS automation_id,
             'entries'::VARCHAR AS activity,
             automation_enrollments.created_at AS at
      FROM automation_enrollments
      WHERE automation_enrollments.created_at >= '2026-10-30 20:00:00+00:00'::TIMESTAMP WITH TIME ZONE
        AND automation_enrollments.created_at < '2026-11-28 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE
      UNION ALL SELECT messages.org_id AS org_id,
                       messages.automation_id AS automation_id,
                       'sends'::VARCHAR AS activity,
                       messages.sent_at AS at
      FROM messages
      WHERE messages.sent_at >= '2026-10-30 20:00:00+00:00'::TIMESTAMP WITH TIME ZONE
        AND messages.sent_at < '2026-11-28 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE
      UNION ALL SELECT messages.org_id AS org_id,
                       messages.automation_id AS automation_id,
                       'opens'::VARCHAR AS activity,
                       messages.opened_at AS at
      FROM messages
      WHERE messages.opened_at >= '2026-10-30 20:00:00+00:00'::TIMESTAMP WITH TIME ZONE
        AND messages.opened_at < '2026-11-28 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE) AS happened
   JOIN organizations ON organizations.id = happened.org_id
   WHERE EXTRACT(epoch
                 FROM date_trunc('hour'::VARCHAR, timezone(organizations.timezone, '2026-11-28 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE)) - timezone(organizations.timezone, happened.at)) / CAST(3600::INTEGER AS NUMERIC) > 0::INTEGER
     AND (CAST(ceil(EXTRACT(epoch
                            FROM date_trunc('hour'::VARCHAR, timezone(organizations.timezone, '2026-11-28 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE)) - timezone(organizations.timezone, happened.at)) / CAST(3600::INTEGER AS NUMERIC)) AS INTEGER) - 1::INTEGER) % 168::INTEGER < 2::INTEGER
     AND CAST(ceil(EXTRACT(epoch
                           FROM date_trunc('hour'::VARCHAR, timezone(organizations.timezone, '2026-11-28 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE)) - timezone(organizations.timezone, happened.at)) / CAST(3600::INTEGER AS NUMERIC)) AS INTEGER) - 1::INTEGER < 840::INTEGER
   GROUP BY happened.org_id,
            happened.automation_id,
            happened.activity,
            CAST(ceil(EXTRACT(epoch
                              FROM date_trunc('hour'::VARCHAR, timezone(organizations.timezone, '2026-11-28 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE)) - timezone(organizations.timezone, happened.at)) / CAST(3600::INTEGER AS NUMERIC)) AS INTEGER) - 1::INTEGER) AS counted
JOIN automations ON automations.org_id = counted.org_id
AND automations.id = counted.automation_id
JOIN organizations ON organizations.id = counted.org_id
WHERE automations.status = 'active'::VARCHAR
  AND (EXISTS
         (SELECT *
          FROM automation_active_periods
          WHERE automation_active_periods.org_id = automations.org_id
            AND automation_active_periods.automation_id = automations.id
            AND automation_active_periods.ended_at IS NULL
            AND automation_active_periods.started_at <= '2026-11-28 00:00:00+00:00'::TIMESTAMP WITHOUT TIME ZONE - INTERVAL '0 days 10800 seconds'))
  AND (counted.activity = 'entries'::VARCHAR
       OR NOT (organizations.sending_stopped_at IS NOT NULL
               OR (EXISTS
                     (SELECT *
                      FROM installation
                      WHERE installation.sending_stopped_at IS NOT NULL))));
