-- note_dropped_month
-- Note from when on the events of organisations are complete
-- halo_engine/retention/months.py
INSERT INTO histories (org_id, next_at, complete_since)
SELECT org_id,
       now() AS now_1,
       '{"events": "2026-01-01T00:00:00+00:00"}'::JSONB AS anon_1
FROM unnest('{}'::UUID[]) AS org_id ON CONFLICT (org_id) DO
UPDATE
SET complete_since = CASE
                         WHEN (CAST((histories.complete_since ->> 'events'::TEXT) AS TIMESTAMP WITH TIME ZONE) > '2026-01-01 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE) THEN histories.complete_since
                         ELSE histories.complete_since || '{"events": "2026-01-01T00:00:00+00:00"}'::JSONB
                     END;
