-- delete_old_links
-- halo_engine/operators/sessions.py
-- Parameters: org_id uuid, now timestamp with time zone
DELETE
FROM sign_in_links
WHERE sign_in_links.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND sign_in_links.expires_at <= :now::TIMESTAMP WITH TIME ZONE;
