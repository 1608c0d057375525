-- page_contacts
-- halo_engine/answers/reports/contact_list.py
-- Parameters: org_id uuid, search text, after_id uuid, limit integer
SELECT contact.id,
       contact.external_id,
       contact.email,
       contact.name,
       contact.contact_type,
       contact.created_at
FROM end_users AS contact
WHERE contact.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND (starts_with(contact.external_id, :search::VARCHAR)
       OR starts_with(contact.address, lower(:search::VARCHAR)))
  AND contact.id IN
    (SELECT end_users.id
     FROM end_users
     WHERE end_users.org_id =
         (SELECT :org_id::UUID AS anon_2)
       AND ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
            AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true
       AND (EXISTS
              (SELECT *
               FROM suppressions
               WHERE suppressions.org_id = end_users.org_id
                 AND suppressions.address = end_users.address)) IS false)
  AND (contact.created_at,
       contact.id) <
    (SELECT coalesce(
                       (SELECT last.created_at
                        FROM end_users AS last
                        WHERE last.org_id =
                            (SELECT :org_id::UUID AS anon_3)
                          AND last.id = :after_id::UUID),
                       (SELECT near.created_at
                        FROM end_users AS near
                        WHERE near.org_id =
                            (SELECT :org_id::UUID AS anon_4)
                          AND near.id < :after_id::UUID
                        ORDER BY near.id DESC
                        LIMIT 1::INTEGER)) AS coalesce_1,
            :after_id::UUID AS anon_5)
ORDER BY contact.created_at DESC,
         contact.id DESC
LIMIT :limit::INTEGER;
