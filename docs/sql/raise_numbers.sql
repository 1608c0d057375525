-- raise_numbers
-- Give out no number again that a mail was sent under
-- halo_engine/restoring/check.py
SELECT CASE
           WHEN last_value <= 9002::BIGINT THEN setval('arrivals', 9002::BIGINT)
       END
FROM arrivals;
