-- read_event_names
-- halo_engine/audience/registered.py
-- Parameters: org_id uuid
SELECT event_counts.name
FROM event_counts
WHERE event_counts.org_id =
    (SELECT :org_id::UUID AS anon_1)
GROUP BY event_counts.name
ORDER BY sum(event_counts.count) DESC, event_counts.name
LIMIT 1000::INTEGER;
