-- note_change
-- halo_engine/operators/audit.py
-- Parameters: org_id uuid, now timestamp with time zone, search text
INSERT INTO audit_log (org_id, at, by, action, target)
VALUES ((SELECT :org_id::UUID AS anon_1), :now::TIMESTAMP WITH TIME ZONE, :search::VARCHAR, 'series.pause'::VARCHAR, 'welcome'::VARCHAR) RETURNING audit_log.id;
