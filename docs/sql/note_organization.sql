-- note_organization
-- halo_engine/cells/directory.py
-- Parameters: org_id uuid, widget_key text, old_widget_key text, org_key text
UPDATE cell_organizations
SET id=:org_id::UUID,
    widget_key=:widget_key::VARCHAR,
    old_widget_key=:old_widget_key::VARCHAR,
    change=nextval('arrivals')
WHERE cell_organizations.key = :org_key::VARCHAR;
