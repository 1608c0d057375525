-- read_page
-- halo_engine/enrollment/pages.py
-- Parameters: org_id uuid, until timestamp with time zone, after_at timestamp with time zone, after_id uuid, last_at timestamp with time zone, last_id uuid
SELECT end_users.id
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.created_at <= :until::TIMESTAMP WITH TIME ZONE
  AND (end_users.created_at,
       end_users.id) > (:after_at::TIMESTAMP WITH TIME ZONE,
                                                       :after_id::UUID)
  AND (end_users.created_at,
       end_users.id) <= (:last_at::TIMESTAMP WITH TIME ZONE,
                                                       :last_id::UUID)
  AND end_users.created_at BETWEEN :after_at::TIMESTAMP WITH TIME ZONE AND :last_at::TIMESTAMP WITH TIME ZONE;
