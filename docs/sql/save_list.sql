-- save_list
-- halo_engine/contacts/consent/subscriptions.py
-- Parameters: org_id uuid, list_key text, now timestamp with time zone
INSERT INTO subscriptions (org_id, key, name, created_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :list_key::VARCHAR, 'News'::VARCHAR, :now::TIMESTAMP WITH TIME ZONE) ON CONFLICT (org_id, key) DO
UPDATE
SET name = excluded.name RETURNING subscriptions.id;
