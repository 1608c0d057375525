-- read_clock_of_hours
-- halo_engine/answers/operations/usual_hours.py
SELECT clock_timestamp() AS clock_timestamp_1;
