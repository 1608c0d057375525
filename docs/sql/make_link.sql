-- make_link
-- halo_engine/operators/sessions.py
-- Parameters: org_id uuid, key_hash bytea
INSERT INTO sign_in_links (org_id, hash, expires_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :key_hash, '2026-01-01 01:10:00+00:00'::TIMESTAMP WITH TIME ZONE) RETURNING sign_in_links.id;
