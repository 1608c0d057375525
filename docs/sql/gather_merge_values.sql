-- gather_merge_values
-- halo_engine/mail/composing/values.py
-- Parameters: org_id uuid, contact_ids uuid[]
SELECT end_users.id,
       end_users.name AS value_0
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.id = ANY (:contact_ids::UUID[]);
