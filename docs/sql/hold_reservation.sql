-- hold_reservation
-- halo_engine/cells/placing.py
-- Parameters: org_key text
SELECT cell_organizations.key,
       cell_organizations.cell,
       cell_organizations.id,
       cell_organizations.widget_key,
       cell_organizations.old_widget_key,
       cell_organizations.change
FROM cell_organizations
WHERE cell_organizations.key = :org_key::VARCHAR
  FOR
  UPDATE;
