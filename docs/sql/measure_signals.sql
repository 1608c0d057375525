-- measure_signals
-- halo_engine/answers/operations/measures.py
SELECT count(*) FILTER (
                        WHERE signals.parked_at IS NULL) AS number,
       min(signals.created_at) FILTER (
                                       WHERE signals.parked_at IS NULL) AS oldest,
       count(*) FILTER (
                        WHERE signals.parked_at IS NOT NULL) AS parked,
       count(*) FILTER (
                        WHERE signals.parked_at IS NOT NULL
                          AND signals.retry_at IS NULL) AS aside
FROM signals;
