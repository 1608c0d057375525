-- keep_sent_before
-- Note mails whose rows are not there: they will be made again under other numbers
-- halo_engine/restoring/writing.py
-- Parameters: row_ids bigint[], contact_ids uuid[], series_ids uuid[], waiting_step_ids uuid[], message_ids text[]
INSERT INTO sent_before (org_id, end_user_id, automation_id, enrollment_number, step_id, sent_at)
SELECT anon_1.org_id,
       anon_1.contact_id,
       anon_1.series_id,
       anon_1.number,
       anon_1.step_id,
       anon_1.sent_at
FROM unnest('{5a000000000000000000000000000001}'::UUID[], :row_ids::BIGINT[], :contact_ids::UUID[], :series_ids::UUID[], '{1}'::INTEGER[], :waiting_step_ids::UUID[], :message_ids::TEXT[], '{2026-01-01T03:00:00+00:00}'::TIMESTAMP WITH TIME ZONE[], '{0}'::INTEGER[]) AS anon_1(org_id, row_id, contact_id, series_id, number, step_id, message_id, sent_at, ordinal)
WHERE anon_1.step_id IS NOT NULL
  AND NOT (EXISTS
             (SELECT automation_recipients.id
              FROM automation_recipients
              WHERE automation_recipients.org_id = anon_1.org_id
                AND automation_recipients.id = anon_1.row_id
                AND automation_recipients.end_user_id = anon_1.contact_id
                AND automation_recipients.step_id = anon_1.step_id)) ON CONFLICT DO NOTHING;
