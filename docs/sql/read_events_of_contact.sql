-- read_events_of_contact
-- halo_engine/answers/reports/profile.py
-- Parameters: org_id uuid, contact_id uuid
SELECT event_counts.name AS event,
       event_counts.count,
       event_counts.last_at
FROM event_counts
WHERE event_counts.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND event_counts.end_user_id = :contact_id::UUID
ORDER BY event_counts.name;
