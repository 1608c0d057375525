-- record_intent_within_caps
-- halo_engine/mail/sending/intent.py
-- Parameters: message_id text, now timestamp with time zone, org_id uuid, row_id bigint, lease_token uuid, caps_at_most, caps_within, address text, until timestamp with time zone
INSERT INTO messages (org_id, recipient_id, end_user_id, automation_id, enrollment_number, step_id, to_address, state, message_id, intended_at, marketing)
SELECT automation_recipients.org_id,
       automation_recipients.id,
       automation_recipients.end_user_id,
       automation_recipients.automation_id,
       automation_recipients.enrollment_number,
       automation_recipients.step_id,
       end_users.email,
       'intended',
       :message_id::VARCHAR AS anon_1,
       coalesce(:now::TIMESTAMP WITH TIME ZONE, clock_timestamp()) AS coalesce_1,
       automations.kind = 'marketing' AS anon_2
FROM automation_recipients
JOIN automation_enrollments ON automation_enrollments.org_id = automation_recipients.org_id
AND automation_enrollments.end_user_id = automation_recipients.end_user_id
AND automation_enrollments.automation_id = automation_recipients.automation_id
AND automation_enrollments.number = automation_recipients.enrollment_number
JOIN automations ON automations.org_id = automation_recipients.org_id
AND automations.id = automation_recipients.automation_id
JOIN end_users ON end_users.org_id = automation_recipients.org_id
AND end_users.id = automation_recipients.end_user_id
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_3)
  AND automation_recipients.id = :row_id::BIGINT
  AND automation_recipients.lease_token = :lease_token::UUID
  AND automation_recipients.lease_expires_at > clock_timestamp()
  AND automation_enrollments.ended_at IS NULL
  AND automations.status = 'active'::VARCHAR
  AND NOT (EXISTS
             (SELECT *
              FROM sent_before
              WHERE sent_before.org_id = automation_recipients.org_id
                AND sent_before.end_user_id = automation_recipients.end_user_id
                AND sent_before.automation_id = automation_recipients.automation_id
                AND sent_before.enrollment_number = automation_recipients.enrollment_number
                AND sent_before.step_id = automation_recipients.step_id))
  AND NOT (EXISTS
             (SELECT 1
              FROM unnest(:caps_at_most::INTEGER[], :caps_within::INTERVAL[]) AS anon_4(at_most, within)
              WHERE
                  (SELECT count(*) AS count_1
                   FROM messages
                   WHERE messages.org_id = automation_recipients.org_id
                     AND messages.end_user_id = automation_recipients.end_user_id
                     AND messages.recipient_id != automation_recipients.id
                     AND messages.state != 'failed'
                     AND coalesce(messages.marketing,
                                    (SELECT automations.kind = 'marketing' AS anon_5
                                     FROM automations
                                     WHERE automations.org_id = messages.org_id
                                       AND automations.id = messages.automation_id))
                     AND coalesce(:now::TIMESTAMP WITH TIME ZONE, clock_timestamp()) - anon_4.within < CASE
                                                                                                           WHEN (messages.state = 'sent') THEN messages.sent_at
                                                                                                           ELSE messages.intended_at
                                                                                                       END) >= anon_4.at_most))
  AND end_users.email = :address::VARCHAR
  AND (:until::TIMESTAMP WITH TIME ZONE IS NULL
       OR :until::TIMESTAMP WITH TIME ZONE >= coalesce(:now::TIMESTAMP WITH TIME ZONE, clock_timestamp()))
  AND NOT ((EXISTS
              (SELECT *
               FROM organizations
               WHERE organizations.id = automation_recipients.org_id
                 AND organizations.sending_stopped_at IS NOT NULL))
           OR (EXISTS
                 (SELECT *
                  FROM installation
                  WHERE installation.sending_stopped_at IS NOT NULL)))
  AND NOT (EXISTS
             (SELECT *
              FROM suppressions
              WHERE suppressions.org_id = end_users.org_id
                AND suppressions.address = end_users.address))
  AND (automations.audience_type != 'subscription'::VARCHAR
       OR (EXISTS
             (SELECT *
              FROM subscription_members
              WHERE subscription_members.org_id = end_users.org_id
                AND subscription_members.end_user_id = end_users.id
                AND subscription_members.subscription_id = automations.subscription_id)))
  FOR SHARE OF automation_recipients ON CONFLICT (org_id,
                                                  recipient_id) DO
  UPDATE
  SET state = excluded.state,
      to_address = excluded.to_address,
      intended_at = excluded.intended_at,
      error = NULL::VARCHAR,
      marketing = excluded.marketing WHERE messages.state != 'sent' RETURNING messages.message_id;
