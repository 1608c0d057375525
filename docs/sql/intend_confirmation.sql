-- intend_confirmation
-- halo_engine/mail/sending/confirmations.py
-- Parameters: now timestamp with time zone, mail_state text, until timestamp with time zone, message_id text, org_id uuid, row_id bigint
UPDATE confirmations
SET state=CASE
              WHEN (NOT (EXISTS
                           (SELECT pending_members.end_user_id
                            FROM pending_members
                            JOIN end_users ON end_users.org_id = pending_members.org_id
                            AND end_users.id = pending_members.end_user_id
                            WHERE pending_members.org_id = confirmations.org_id
                              AND pending_members.subscription_id = confirmations.subscription_id
                              AND pending_members.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                              AND confirmations.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                              AND end_users.address = confirmations.address))) THEN 'dropped'::VARCHAR
              WHEN (EXISTS
                      (SELECT *
                       FROM suppressions
                       WHERE suppressions.org_id = confirmations.org_id
                         AND suppressions.address = confirmations.address
                         AND (suppressions.bounced_at IS NOT NULL
                              OR suppressions.complained_at IS NOT NULL))) THEN :mail_state::VARCHAR
              ELSE 'intended'::VARCHAR
          END,
          due_at=CASE
                     WHEN ((EXISTS
                              (SELECT pending_members.end_user_id
                               FROM pending_members
                               JOIN end_users ON end_users.org_id = pending_members.org_id
                               AND end_users.id = pending_members.end_user_id
                               WHERE pending_members.org_id = confirmations.org_id
                                 AND pending_members.subscription_id = confirmations.subscription_id
                                 AND pending_members.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                                 AND confirmations.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                                 AND end_users.address = confirmations.address))
                           AND NOT (EXISTS
                                      (SELECT *
                                       FROM suppressions
                                       WHERE suppressions.org_id = confirmations.org_id
                                         AND suppressions.address = confirmations.address
                                         AND (suppressions.bounced_at IS NOT NULL
                                              OR suppressions.complained_at IS NOT NULL)))) THEN :until::TIMESTAMP WITH TIME ZONE
                     ELSE confirmations.due_at
                 END,
                 attempts=(confirmations.attempts + 1::INTEGER),
                 message_id=coalesce(confirmations.message_id, :message_id::VARCHAR),
                 intended_at=coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()),
                 error=CASE
                           WHEN ((EXISTS
                                    (SELECT pending_members.end_user_id
                                     FROM pending_members
                                     JOIN end_users ON end_users.org_id = pending_members.org_id
                                     AND end_users.id = pending_members.end_user_id
                                     WHERE pending_members.org_id = confirmations.org_id
                                       AND pending_members.subscription_id = confirmations.subscription_id
                                       AND pending_members.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                                       AND confirmations.asked_at > coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) - INTERVAL '7 days 0 seconds'
                                       AND end_users.address = confirmations.address))
                                 AND (EXISTS
                                        (SELECT *
                                         FROM suppressions
                                         WHERE suppressions.org_id = confirmations.org_id
                                           AND suppressions.address = confirmations.address
                                           AND (suppressions.bounced_at IS NOT NULL
                                                OR suppressions.complained_at IS NOT NULL)))) THEN 'the address gets no mail'::VARCHAR
                       END
WHERE confirmations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND confirmations.id = :row_id::BIGINT
  AND confirmations.state = 'waiting'::VARCHAR
  AND NOT ((EXISTS
              (SELECT *
               FROM organizations
               WHERE organizations.id = confirmations.org_id
                 AND organizations.sending_stopped_at IS NOT NULL))
           OR (EXISTS
                 (SELECT *
                  FROM installation
                  WHERE installation.sending_stopped_at IS NOT NULL))) RETURNING confirmations.state;
