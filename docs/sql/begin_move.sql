-- begin_move
-- halo_engine/moving/ledger.py
-- Parameters: org_id uuid, org_key text, cell text
INSERT INTO moves (org_id, org_key, cell, state, copied, started_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :org_key::VARCHAR, :cell::VARCHAR, 'leaving'::VARCHAR, '{}'::TEXT[], clock_timestamp()) ON CONFLICT (org_id) DO
UPDATE
SET cell = excluded.cell,
    state = excluded.state,
    copied = excluded.copied,
organization = excluded.organization,
               started_at = excluded.started_at,
               switched_at = excluded.switched_at,
               finished_at = excluded.finished_at;
