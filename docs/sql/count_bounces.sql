-- count_bounces
-- halo_engine/answers/bounce_counts.py
-- Parameters: org_id uuid
SELECT bounce_reports.reason,
       count(*) AS count_1
FROM messages
JOIN bounce_reports ON bounce_reports.org_id = messages.org_id
AND bounce_reports.recipient_id = messages.recipient_id
WHERE messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND messages.end_user_id IS NOT NULL
GROUP BY bounce_reports.reason
ORDER BY count(*) DESC, bounce_reports.reason;
