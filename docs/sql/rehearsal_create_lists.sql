-- rehearsal_create_lists
-- halo_engine/rehearsal/sandbox.py
-- Parameters: org_id uuid, list_key text, now timestamp with time zone
INSERT INTO subscriptions (org_id, key, created_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :list_key::VARCHAR, :now::TIMESTAMP WITH TIME ZONE);
