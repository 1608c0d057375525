-- open_period
-- halo_engine/series/lifecycle.py
-- Parameters: org_id uuid, series_id uuid, now timestamp with time zone, by text
INSERT INTO automation_active_periods (org_id, automation_id, started_at, started_by)
VALUES ((SELECT :org_id::UUID AS anon_1), :series_id::UUID, :now::TIMESTAMP WITH TIME ZONE, :by::VARCHAR) ON CONFLICT (org_id, automation_id, started_at) DO
UPDATE
SET ended_at = NULL::TIMESTAMP WITH TIME ZONE,
                                         ended_by = NULL::VARCHAR;
