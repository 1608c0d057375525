-- count_abandoned_leases
-- halo_engine/answers/operations/waiting.py
-- Parameters: org_id uuid
SELECT count(*) AS count_1
FROM automation_recipients
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.status = 'processing'
  AND automation_recipients.lease_expires_at < clock_timestamp() - INTERVAL '0 days 300 seconds';
