-- note_sent_since
-- Note mails as sent whose intent is known; a mail of unknown outcome stays so
-- halo_engine/restoring/writing.py
-- Parameters: row_ids bigint[], contact_ids uuid[], series_ids uuid[], waiting_step_ids uuid[], message_ids text[]
UPDATE messages
SET state='sent'::VARCHAR,
    sent_at=anon_1.sent_at
FROM unnest('{5a000000000000000000000000000001}'::UUID[], :row_ids::BIGINT[], :contact_ids::UUID[], :series_ids::UUID[], '{1}'::INTEGER[], :waiting_step_ids::UUID[], :message_ids::TEXT[], '{2026-01-01T03:00:00+00:00}'::TIMESTAMP WITH TIME ZONE[], '{0}'::INTEGER[]) AS anon_1(org_id, row_id, contact_id, series_id, number, step_id, message_id, sent_at, ordinal)
WHERE messages.org_id = anon_1.org_id
  AND messages.recipient_id = anon_1.row_id
  AND messages.end_user_id = anon_1.contact_id
  AND messages.step_id = anon_1.step_id
  AND messages.state = 'intended';
