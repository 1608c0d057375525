-- rehearsal_names
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid, contact_ids uuid[]
SELECT end_users.id,
       coalesce(end_users.external_id, end_users.email) AS name
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.id = ANY (:contact_ids::UUID[]);
