-- rehearsal_held
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid, series_id uuid
SELECT coalesce(end_users.external_id, end_users.email) AS coalesce_1
FROM held_entries
JOIN end_users ON end_users.org_id = held_entries.org_id
AND end_users.id = held_entries.end_user_id
WHERE held_entries.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND held_entries.automation_id = :series_id::UUID
ORDER BY held_entries.id;
