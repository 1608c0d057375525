-- erase_page
-- halo_engine/contacts/erasure/organizations.py
-- Parameters: org_id uuid, limit integer
DELETE
FROM end_users
WHERE ctid = ANY (array(
                          (SELECT ctid
                           FROM end_users
                           WHERE end_users.org_id =
                               (SELECT :org_id::UUID AS anon_1)
                           LIMIT :limit::INTEGER)))
  AND end_users.org_id =
    (SELECT :org_id::UUID AS anon_2);
