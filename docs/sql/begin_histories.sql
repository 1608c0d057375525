-- begin_histories
-- halo_engine/retention/sweeping.py
-- Parameters: org_id uuid, now timestamp with time zone
INSERT INTO histories (org_id, next_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :now::TIMESTAMP WITH TIME ZONE) ON CONFLICT DO NOTHING;
