-- read_clock_of_cell
-- halo_engine/moving/counting.py
SELECT clock_timestamp() AS clock_timestamp_1;
