-- note_tick
-- halo_engine/pipeline/agenda.py
INSERT INTO installation (singleton, ticked_at, ticks)
VALUES (true, now(), 1::BIGINT) ON CONFLICT (singleton) DO
UPDATE
SET ticked_at = excluded.ticked_at,
    ticks = (installation.ticks + 1::BIGINT);
