-- set_cell
-- halo_engine/cells/directory.py
-- Parameters: cell text, org_id uuid
UPDATE cell_organizations
SET cell=:cell::VARCHAR,
    change=nextval('arrivals')
WHERE cell_organizations.id = :org_id::UUID;
