-- read_names_of_mover
-- halo_engine/moving/checks.py
-- Parameters: org_id uuid
SELECT organizations.id,
       organizations.key,
       organizations.widget_key,
       organizations.old_widget_key,
       organizations.sending_stopped_at
FROM organizations
WHERE organizations.id = :org_id::UUID;
