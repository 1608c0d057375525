-- read_last_tick
-- halo_engine/answers/operations/ticks.py
SELECT installation.ticked_at
FROM installation;
