-- read_clock
-- halo_engine/answers/operations/ticks.py
SELECT now() AS now_1;
