-- page_matched
-- halo_engine/answers/reports/preview.py
-- Parameters: org_id uuid, after_id uuid, limit integer
SELECT walked.id,
       walked.external_id,
       walked.email,
       walked.name,
       walked.contact_type,
       walked.created_at
FROM
  (SELECT contact.id AS id,
          contact.external_id AS external_id,
          contact.email AS email,
          contact.name AS name,
          contact.contact_type AS contact_type,
          contact.created_at AS created_at
   FROM end_users AS contact
   WHERE contact.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND (contact.created_at,
          contact.id) >
       (SELECT coalesce(
                          (SELECT last.created_at
                           FROM end_users AS last
                           WHERE last.org_id =
                               (SELECT :org_id::UUID AS anon_2)
                             AND last.id = :after_id::UUID),
                          (SELECT near.created_at
                           FROM end_users AS near
                           WHERE near.org_id =
                               (SELECT :org_id::UUID AS anon_3)
                             AND near.id > :after_id::UUID
                           ORDER BY near.id
                           LIMIT 1::INTEGER)) AS coalesce_1,
               :after_id::UUID AS anon_4)
   ORDER BY contact.created_at,
            contact.id
   LIMIT ALL
   OFFSET 0) AS walked
JOIN LATERAL
  (SELECT end_users.id AS id
   FROM end_users
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_5)
     AND ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
          AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true
     AND (EXISTS
            (SELECT *
             FROM suppressions
             WHERE suppressions.org_id = end_users.org_id
               AND suppressions.address = end_users.address)) IS false
     AND end_users.id = walked.id
   LIMIT ALL
   OFFSET 0) AS is_matched ON true
ORDER BY walked.created_at,
         walked.id
LIMIT :limit::INTEGER;
