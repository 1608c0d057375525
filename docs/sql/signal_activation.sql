-- signal_activation
-- halo_engine/series/lifecycle.py
-- Parameters: org_id uuid, series_id uuid, now timestamp with time zone
INSERT INTO signals (org_id, kind, automation_id, happened_at, created_at)
VALUES ((SELECT :org_id::UUID AS anon_1), 'activated'::VARCHAR, :series_id::UUID, :now::TIMESTAMP WITH TIME ZONE, :now::TIMESTAMP WITH TIME ZONE) RETURNING signals.id;
