-- read_own_organizations
-- halo_engine/cells/joining.py
SELECT organizations.id,
       organizations.key,
       organizations.widget_key,
       organizations.old_widget_key
FROM organizations
ORDER BY organizations.key;
