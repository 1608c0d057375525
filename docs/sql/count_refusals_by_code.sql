-- count_refusals_by_code
-- halo_engine/answers/operations/measures.py
SELECT enrollment_refusals.code AS kind,
       count(*) AS number
FROM enrollment_refusals
GROUP BY enrollment_refusals.code;
