-- page_timeline
-- halo_engine/answers/reports/timeline.py
-- Parameters: org_id uuid, contact_id uuid, mail_state text, limit integer
SELECT each.what,
       each.at,
       each.id,
       each.automation_id,
       each.step_id,
       each.number,
       each.said,
       each.properties,
       automations.key AS series,
       automation_steps.key AS step
FROM
  (SELECT 'event'::VARCHAR AS what,
          events.happened_at AS at,
          events.id AS id,
          CAST(NULL AS UUID) AS automation_id,
          CAST(NULL AS UUID) AS step_id,
          CAST(NULL AS INTEGER) AS number,
          events.name AS said,
          events.properties AS properties
   FROM events
   WHERE events.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND events.end_user_id = :contact_id::UUID
     AND events.happened_at IS NOT NULL
   UNION ALL SELECT 'entered'::VARCHAR AS what,
                    automation_enrollments.created_at AS at,
                    automation_enrollments.id AS id,
                    automation_enrollments.automation_id AS automation_id,
                    CAST(NULL AS UUID) AS step_id,
                    automation_enrollments.number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM automation_enrollments
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_enrollments.end_user_id = :contact_id::UUID
     AND automation_enrollments.created_at IS NOT NULL
   UNION ALL SELECT 'converted'::VARCHAR AS what,
                    automation_enrollments.converted_at AS at,
                    automation_enrollments.id AS id,
                    automation_enrollments.automation_id AS automation_id,
                    CAST(NULL AS UUID) AS step_id,
                    automation_enrollments.number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM automation_enrollments
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND automation_enrollments.end_user_id = :contact_id::UUID
     AND automation_enrollments.converted_at IS NOT NULL
   UNION ALL SELECT 'left'::VARCHAR AS what,
                    automation_enrollments.ended_at AS at,
                    automation_enrollments.id AS id,
                    automation_enrollments.automation_id AS automation_id,
                    CAST(NULL AS UUID) AS step_id,
                    automation_enrollments.number AS number,
                    automation_enrollments.exit_reason AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM automation_enrollments
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND automation_enrollments.end_user_id = :contact_id::UUID
     AND automation_enrollments.ended_at IS NOT NULL
   UNION ALL SELECT 'refused'::VARCHAR AS what,
                    enrollment_refusals.refused_at AS at,
                    enrollment_refusals.arrival AS id,
                    enrollment_refusals.automation_id AS automation_id,
                    CAST(NULL AS UUID) AS step_id,
                    CAST(NULL AS INTEGER) AS number,
                    enrollment_refusals.code AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM enrollment_refusals
   WHERE enrollment_refusals.org_id =
       (SELECT :org_id::UUID AS anon_5)
     AND enrollment_refusals.end_user_id = :contact_id::UUID
     AND enrollment_refusals.refused_at IS NOT NULL
   UNION ALL SELECT 'mail_intended'::VARCHAR AS what,
                    messages.intended_at AS at,
                    messages.recipient_id AS id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.enrollment_number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_6)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.intended_at IS NOT NULL
     AND messages.state = 'intended'::VARCHAR
   UNION ALL SELECT 'mail_sent'::VARCHAR AS what,
                    messages.sent_at AS at,
                    messages.recipient_id AS id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.enrollment_number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_7)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.sent_at IS NOT NULL
   UNION ALL SELECT 'mail_failed'::VARCHAR AS what,
                    messages.intended_at AS at,
                    messages.recipient_id AS id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.enrollment_number AS number,
                    messages.error AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_8)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.intended_at IS NOT NULL
     AND messages.state = :mail_state::VARCHAR
   UNION ALL SELECT 'mail_unknown'::VARCHAR AS what,
                    messages.intended_at AS at,
                    messages.recipient_id AS id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.enrollment_number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_9)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.intended_at IS NOT NULL
     AND messages.state = 'unknown'::VARCHAR
   UNION ALL SELECT 'opened'::VARCHAR AS what,
                    messages.opened_at AS at,
                    messages.recipient_id AS id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.enrollment_number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_10)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.opened_at IS NOT NULL
   UNION ALL SELECT 'clicked'::VARCHAR AS what,
                    messages.clicked_at AS at,
                    messages.recipient_id AS id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.enrollment_number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_11)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.clicked_at IS NOT NULL
   UNION ALL SELECT 'replied'::VARCHAR AS what,
                    messages.replied_at AS at,
                    messages.recipient_id AS id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.enrollment_number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_12)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.replied_at IS NOT NULL
   UNION ALL SELECT 'machine_opened'::VARCHAR AS what,
                    messages.machine_opened_at AS at,
                    messages.recipient_id AS id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.enrollment_number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_13)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.machine_opened_at IS NOT NULL
   UNION ALL SELECT 'machine_clicked'::VARCHAR AS what,
                    messages.machine_clicked_at AS at,
                    messages.recipient_id AS id,
                    messages.automation_id AS automation_id,
                    messages.step_id AS step_id,
                    messages.enrollment_number AS number,
                    CAST(NULL AS TEXT) AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_14)
     AND messages.end_user_id = :contact_id::UUID
     AND messages.machine_clicked_at IS NOT NULL
   UNION ALL SELECT 'signal_waits'::VARCHAR AS what,
                    signals.created_at AS at,
                    signals.id AS id,
                    signals.automation_id AS automation_id,
                    CAST(NULL AS UUID) AS step_id,
                    CAST(NULL AS INTEGER) AS number,
                    signals.kind AS said,
                    CAST(NULL AS JSONB) AS properties
   FROM signals
   WHERE signals.org_id =
       (SELECT :org_id::UUID AS anon_15)
     AND signals.end_user_id = :contact_id::UUID
     AND signals.created_at IS NOT NULL) AS each
LEFT OUTER JOIN automations ON automations.org_id =
  (SELECT :org_id::UUID AS anon_16)
AND automations.id = each.automation_id
LEFT OUTER JOIN automation_steps ON automation_steps.org_id =
  (SELECT :org_id::UUID AS anon_17)
AND automation_steps.id = each.step_id
ORDER BY each.at DESC,
         each.id DESC,
         each.what DESC
LIMIT :limit::INTEGER;
