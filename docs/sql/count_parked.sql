-- count_parked
-- Count what is set aside and what is retried
-- halo_engine/answers/operations/waiting.py
-- Parameters: org_id uuid
SELECT count(*) FILTER (
                        WHERE parked.retry_at IS NULL
                          AND parked.name = 'signals') AS signals,
       count(*) FILTER (
                        WHERE parked.retry_at IS NULL
                          AND parked.name = 'automation_recipients') AS rows,
       count(*) FILTER (
                        WHERE parked.retry_at IS NOT NULL) AS retried,
       min(parked.failed_at) FILTER (
                                     WHERE parked.retry_at IS NOT NULL) AS oldest_retried
FROM
  (SELECT 'signals' AS name,
          signals.retry_at AS retry_at,
          signals.failed_at AS failed_at
   FROM signals
   WHERE signals.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND signals.parked_at IS NOT NULL
   UNION ALL SELECT 'automation_recipients' AS name,
                    automation_recipients.retry_at AS retry_at,
                    automation_recipients.failed_at AS failed_at
   FROM automation_recipients
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_recipients.parked_at IS NOT NULL
     AND automation_recipients.status IN ('pending',
                                          'processing')) AS parked;
