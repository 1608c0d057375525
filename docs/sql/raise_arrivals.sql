-- raise_arrivals
-- halo_engine/moving/counting.py
SELECT CASE
           WHEN last_value <= 9001::INTEGER THEN setval('arrivals', 9001::INTEGER + 1000000::INTEGER)
       END
FROM arrivals;
