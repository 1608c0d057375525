-- count_held_by_series
-- halo_engine/answers/surges.py
-- Parameters: org_id uuid
SELECT automations.key AS series,
       count(*) AS contacts,
       min(held_entries.held_at) AS since,
       automations.release_at_most,
       automations.release_within_seconds
FROM held_entries
JOIN automations ON automations.org_id =
  (SELECT :org_id::UUID AS anon_1)
AND automations.id = held_entries.automation_id
WHERE held_entries.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND automations.status IN ('active'::VARCHAR,
                             'paused'::VARCHAR)
GROUP BY automations.key,
         automations.release_at_most,
         automations.release_within_seconds
ORDER BY min(held_entries.held_at),
         automations.key;
