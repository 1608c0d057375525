-- measure_parked_rows
-- halo_engine/answers/operations/measures.py
SELECT count(*) AS parked,
       count(*) FILTER (
                        WHERE automation_recipients.retry_at IS NULL) AS aside
FROM automation_recipients
WHERE automation_recipients.parked_at IS NOT NULL;
