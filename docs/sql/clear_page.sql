-- clear_page
-- halo_engine/moving/clearing.py
-- Parameters: org_id uuid, limit integer
DELETE
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND ctid = ANY (array(
                          (SELECT ctid
                           FROM end_users
                           WHERE end_users.org_id =
                               (SELECT :org_id::UUID AS anon_2)
                           LIMIT :limit::INTEGER)));
