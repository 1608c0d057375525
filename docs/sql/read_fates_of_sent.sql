-- read_fates_of_sent
-- halo_engine/restoring/fates.py
-- Parameters: mail_state text, row_ids bigint[], contact_ids uuid[], series_ids uuid[], waiting_step_ids uuid[], message_ids text[]
SELECT anon_1.ordinal,
       CASE
           WHEN (organizations.id IS NULL) THEN 'elsewhere'
           WHEN (messages.state IN ('sent'::VARCHAR,
                                    :mail_state::VARCHAR)) THEN 'known'
           WHEN (messages.state IS NOT NULL) THEN 'open'
           WHEN (former_mails.org_id IS NOT NULL) THEN 'known'
           WHEN (sent_before.org_id IS NOT NULL) THEN 'known'
           WHEN (confirmations.state = 'waiting'::VARCHAR) THEN 'again'
           WHEN (confirmations.state IN ('intended'::VARCHAR,
                                         'unknown'::VARCHAR)) THEN 'open'
           WHEN (confirmations.state IS NOT NULL) THEN 'known'
           WHEN (end_users.id IS NULL
                 OR automation_steps.id IS NULL) THEN 'nobody'
           ELSE 'again'
       END AS fate
FROM unnest('{5a000000000000000000000000000001}'::UUID[], :row_ids::BIGINT[], :contact_ids::UUID[], :series_ids::UUID[], '{1}'::INTEGER[], :waiting_step_ids::UUID[], :message_ids::TEXT[], '{2026-01-01T03:00:00+00:00}'::TIMESTAMP WITH TIME ZONE[], '{0}'::INTEGER[]) AS anon_1(org_id, row_id, contact_id, series_id, number, step_id, message_id, sent_at, ordinal)
LEFT OUTER JOIN organizations ON organizations.id = anon_1.org_id
LEFT OUTER JOIN messages ON messages.org_id = anon_1.org_id
AND messages.recipient_id = anon_1.row_id
AND messages.end_user_id = anon_1.contact_id
AND messages.step_id = anon_1.step_id
LEFT OUTER JOIN former_mails ON former_mails.org_id = anon_1.org_id
AND former_mails.recipient_id = anon_1.row_id
AND former_mails.end_user_id = anon_1.contact_id
LEFT OUTER JOIN sent_before ON sent_before.org_id = anon_1.org_id
AND sent_before.end_user_id = anon_1.contact_id
AND sent_before.automation_id = anon_1.series_id
AND sent_before.enrollment_number = anon_1.number
AND sent_before.step_id = anon_1.step_id
LEFT OUTER JOIN confirmations ON confirmations.org_id = anon_1.org_id
AND confirmations.id = anon_1.row_id
AND anon_1.step_id IS NULL
LEFT OUTER JOIN end_users ON end_users.org_id = anon_1.org_id
AND end_users.id = anon_1.contact_id
LEFT OUTER JOIN automation_steps ON automation_steps.org_id = anon_1.org_id
AND automation_steps.id = anon_1.step_id
AND automation_steps.automation_id = anon_1.series_id;
