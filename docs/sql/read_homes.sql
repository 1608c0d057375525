-- read_homes
-- halo_engine/cells/directory.py
-- Parameters: since_change bigint
SELECT cell_organizations.key,
       cell_organizations.cell,
       cell_organizations.id,
       cell_organizations.widget_key,
       cell_organizations.old_widget_key,
       cell_organizations.change
FROM cell_organizations
WHERE cell_organizations.change > :since_change::BIGINT
ORDER BY cell_organizations.change;
