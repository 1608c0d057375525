-- measure_pulse
-- halo_engine/answers/operations/measures.py
SELECT clock_timestamp() AS now,
       whole.ticked_at,
       whole.ticks,
       whole.is_mail_server_down,

  (SELECT min(organizations.reevaluated_at) AS min_1
   FROM organizations
   WHERE EXISTS
       (SELECT *
        FROM automations
        WHERE automations.org_id = organizations.id
          AND automations.status = 'active'::VARCHAR
          AND automations.entry_trigger = 'segment_match'::VARCHAR)) AS passed_at,

  (SELECT CAST(sum(organizations.passes) AS BIGINT) AS sum_1
   FROM organizations) AS passes
FROM
  (SELECT max(installation.ticked_at) AS ticked_at,
          max(installation.ticks) AS ticks,
          bool_or(installation.mail_down_since IS NOT NULL) AS is_mail_server_down
   FROM installation) AS whole;
