-- find_latest_events
-- halo_engine/answers/explain/latest_event.py
-- Parameters: org_id uuid, contact_ids uuid[]
SELECT event_counts.end_user_id,
       events.happened_at,
       CAST(ARRAY[] AS BOOLEAN[]) AS held,
       CAST(ARRAY[] AS BOOLEAN[]) AS lacked,
       CAST(ARRAY[] AS JSONB[]) AS read
FROM event_counts
JOIN events ON events.org_id = event_counts.org_id
AND events.id = event_counts.live_id
AND events.created_at > event_counts.live_at - interval '1 day'
WHERE event_counts.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND event_counts.name = NULL::VARCHAR
  AND event_counts.end_user_id = ANY (:contact_ids::UUID[]);
