-- save_steps
-- halo_engine/series/save.py
-- Parameters: org_id uuid, series_id uuid
INSERT INTO automation_steps (org_id, automation_id, key, position, delay_seconds, email, condition_type, condition_value, has_own_window, send_window, send_by_seconds, ignore_caps)
VALUES ((SELECT :org_id::UUID AS anon_1), :series_id::UUID, 'hello'::VARCHAR, 0::INTEGER, 0::BIGINT, '{"subject": "Hello", "body": "Hello {{ name }}"}'::JSONB, NULL::VARCHAR, NULL::VARCHAR, false, NULL::JSONB, NULL::BIGINT, false),
       ((SELECT :org_id::UUID AS anon_2), :series_id::UUID, 'opened'::VARCHAR, 1::INTEGER, 172800::BIGINT, NULL::JSONB, 'email_opened'::VARCHAR, NULL::VARCHAR, false, NULL::JSONB, NULL::BIGINT, false) ON CONFLICT (org_id, automation_id, key) DO
UPDATE
SET position = excluded.position,
               delay_seconds = excluded.delay_seconds,
               email = excluded.email,
               condition_type = excluded.condition_type,
               condition_value = excluded.condition_value,
               has_own_window = excluded.has_own_window,
               send_window = excluded.send_window,
               send_by_seconds = excluded.send_by_seconds,
               ignore_caps = excluded.ignore_caps,
               removed_at = excluded.removed_at;
