-- list_events
-- halo_engine/answers/reports/events.py
-- Parameters: org_id uuid
SELECT event_counts.name AS event,
       sum(event_counts.count) AS count,
       count(*) AS contacts,
       min(event_counts.first_at) AS first_at,
       max(event_counts.last_at) AS last_at
FROM event_counts
WHERE event_counts.org_id =
    (SELECT :org_id::UUID AS anon_1)
GROUP BY event_counts.name
ORDER BY count DESC, event_counts.name
LIMIT 1000::INTEGER;
