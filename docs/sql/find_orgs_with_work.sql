-- find_orgs_with_work
-- halo_engine/pipeline/agenda.py
SELECT organizations.id,
       organizations.timezone,
       organizations.reevaluate_cron,
       organizations.reevaluated_at, (EXISTS
                                        (SELECT *
                                         FROM signals
                                         WHERE signals.org_id = organizations.id
                                           AND signals.parked_at IS NULL))
OR (EXISTS
      (SELECT *
       FROM automations
       JOIN LATERAL
         (SELECT automation_recipients.id AS id
          FROM automation_recipients
          WHERE automation_recipients.org_id = automations.org_id
            AND automation_recipients.automation_id = automations.id
            AND automation_recipients.status = 'pending'
            AND automation_recipients.scheduled_for <= now()
          LIMIT 1::INTEGER) AS "some" ON true
       WHERE automations.org_id = organizations.id
         AND automations.status = 'active'::VARCHAR))
OR (EXISTS
      (SELECT *
       FROM automations
       JOIN LATERAL
         (SELECT automation_recipients.id AS id
          FROM automation_recipients
          WHERE automation_recipients.org_id = automations.org_id
            AND automation_recipients.automation_id = automations.id
            AND automation_recipients.status = 'processing'
            AND automation_recipients.lease_expires_at <= now()
          LIMIT 1::INTEGER) AS "some" ON true
       WHERE automations.org_id = organizations.id))
OR organizations.asks_to_confirm
AND (EXISTS
       (SELECT *
        FROM confirmations
        WHERE confirmations.org_id = organizations.id
          AND confirmations.state IN ('waiting'::VARCHAR,
                                      'intended'::VARCHAR)
          AND confirmations.due_at <= now()))
OR (EXISTS
      (SELECT *
       FROM automations
       WHERE automations.org_id = organizations.id
         AND automations.status = 'active'::VARCHAR
         AND automations.release_at_most IS NOT NULL)) AS has_work,
   now() AS now
FROM organizations
WHERE (EXISTS
         (SELECT *
          FROM signals
          WHERE signals.org_id = organizations.id
            AND signals.parked_at IS NULL))
  OR (EXISTS
        (SELECT *
         FROM automations
         JOIN LATERAL
           (SELECT automation_recipients.id AS id
            FROM automation_recipients
            WHERE automation_recipients.org_id = automations.org_id
              AND automation_recipients.automation_id = automations.id
              AND automation_recipients.status = 'pending'
              AND automation_recipients.scheduled_for <= now()
            LIMIT 1::INTEGER) AS "some" ON true
         WHERE automations.org_id = organizations.id
           AND automations.status = 'active'::VARCHAR))
  OR (EXISTS
        (SELECT *
         FROM automations
         JOIN LATERAL
           (SELECT automation_recipients.id AS id
            FROM automation_recipients
            WHERE automation_recipients.org_id = automations.org_id
              AND automation_recipients.automation_id = automations.id
              AND automation_recipients.status = 'processing'
              AND automation_recipients.lease_expires_at <= now()
            LIMIT 1::INTEGER) AS "some" ON true
         WHERE automations.org_id = organizations.id))
  OR organizations.asks_to_confirm
  AND (EXISTS
         (SELECT *
          FROM confirmations
          WHERE confirmations.org_id = organizations.id
            AND confirmations.state IN ('waiting'::VARCHAR,
                                        'intended'::VARCHAR)
            AND confirmations.due_at <= now()))
  OR (EXISTS
        (SELECT *
         FROM automations
         WHERE automations.org_id = organizations.id
           AND automations.status = 'active'::VARCHAR
           AND automations.release_at_most IS NOT NULL))
  OR (EXISTS
        (SELECT *
         FROM automations
         WHERE automations.org_id = organizations.id
           AND automations.status = 'active'::VARCHAR
           AND automations.entry_trigger = 'segment_match'::VARCHAR));
