-- signal_reevaluation
-- halo_engine/pipeline/passes/beginning.py
-- Parameters: org_id uuid, now timestamp with time zone
INSERT INTO signals (org_id, kind, happened_at, created_at,
                     cursor)
VALUES ((SELECT :org_id::UUID AS anon_1), 'reevaluated'::VARCHAR, :now::TIMESTAMP WITH TIME ZONE, :now::TIMESTAMP WITH TIME ZONE, '{"narrow": true}'::JSONB) RETURNING signals.id;
