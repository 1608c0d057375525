-- rehearsal_next_release
-- halo_engine/rehearsal/calendar.py
-- Parameters: org_id uuid, now timestamp with time zone
SELECT min(released_entries.began_at + automations.release_within_seconds * INTERVAL '0 days 1 seconds') AS min_1
FROM released_entries
JOIN automations ON automations.org_id = released_entries.org_id
AND automations.id = released_entries.automation_id
WHERE released_entries.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.status = 'active'::VARCHAR
  AND released_entries.began_at + automations.release_within_seconds * INTERVAL '0 days 1 seconds' > :now::TIMESTAMP WITH TIME ZONE;
