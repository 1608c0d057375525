-- keep_version
-- halo_engine/series/versions.py
-- Parameters: org_id uuid, series_id uuid, now timestamp with time zone, by text
INSERT INTO automation_versions (org_id, automation_id, version, saved_at, saved_by, via, definition)
VALUES ((SELECT :org_id::UUID AS anon_1), :series_id::UUID, 2::INTEGER, :now::TIMESTAMP WITH TIME ZONE, :by::VARCHAR, 'command'::VARCHAR, '{}'::JSONB) ON CONFLICT DO NOTHING;
