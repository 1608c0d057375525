-- rehearsal_name
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid, contact_id uuid
SELECT coalesce(end_users.external_id, end_users.email) AS coalesce_1
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.id = :contact_id::UUID;
