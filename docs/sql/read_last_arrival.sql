-- read_last_arrival
-- halo_engine/moving/counting.py
SELECT last_value
FROM arrivals;
