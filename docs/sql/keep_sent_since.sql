-- keep_sent_since
-- Write mails into the log that it does not know
-- halo_engine/restoring/writing.py
-- Parameters: row_ids bigint[], contact_ids uuid[], series_ids uuid[], waiting_step_ids uuid[], message_ids text[]
INSERT INTO messages (org_id, recipient_id, end_user_id, automation_id, enrollment_number, step_id, state, message_id, to_address, intended_at, sent_at, marketing)
SELECT anon_1.org_id,
       anon_1.row_id,
       anon_1.contact_id,
       anon_1.series_id,
       anon_1.number,
       anon_1.step_id,
       'sent',
       anon_1.message_id,
       coalesce(end_users.email, ''::VARCHAR) AS coalesce_1,
       anon_1.sent_at,
       anon_1.sent_at AS sent_at__1,
       automations.kind = 'marketing' AS anon_2
FROM unnest('{5a000000000000000000000000000001}'::UUID[], :row_ids::BIGINT[], :contact_ids::UUID[], :series_ids::UUID[], '{1}'::INTEGER[], :waiting_step_ids::UUID[], :message_ids::TEXT[], '{2026-01-01T03:00:00+00:00}'::TIMESTAMP WITH TIME ZONE[], '{0}'::INTEGER[]) AS anon_1(org_id, row_id, contact_id, series_id, number, step_id, message_id, sent_at, ordinal)
JOIN end_users ON end_users.org_id = anon_1.org_id
AND end_users.id = anon_1.contact_id
JOIN automations ON automations.org_id = anon_1.org_id
AND automations.id = anon_1.series_id ON CONFLICT DO NOTHING;
