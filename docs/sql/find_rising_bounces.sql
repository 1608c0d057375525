-- find_rising_bounces
-- halo_engine/answers/bounce_counts.py
-- Parameters: since timestamp with time zone, org_id uuid, sent_at timestamp with time zone
SELECT automations.key AS series,
       bounce_reports.reason,
       count(*) FILTER (
                        WHERE bounce_reports.reported_at >= :since::TIMESTAMP WITH TIME ZONE) AS reports,
       count(*) FILTER (
                        WHERE bounce_reports.reported_at < :since::TIMESTAMP WITH TIME ZONE) AS
before,
       max(bounce_reports.reported_at) AS latest
FROM bounce_reports
JOIN messages ON messages.org_id = bounce_reports.org_id
AND messages.recipient_id = bounce_reports.recipient_id
JOIN automations ON automations.org_id = messages.org_id
AND automations.id = messages.automation_id
WHERE bounce_reports.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND bounce_reports.reported_at >= :sent_at::TIMESTAMP WITH TIME ZONE
GROUP BY automations.key,
         bounce_reports.reason
HAVING count(*) FILTER (
                        WHERE bounce_reports.reported_at >= :since::TIMESTAMP WITH TIME ZONE) > count(*) FILTER (
                                                                                                                 WHERE bounce_reports.reported_at < :since::TIMESTAMP WITH TIME ZONE)
ORDER BY count(*) FILTER (
                          WHERE bounce_reports.reported_at >= :since::TIMESTAMP WITH TIME ZONE) DESC, automations.key,
                                                                                                      bounce_reports.reason;
