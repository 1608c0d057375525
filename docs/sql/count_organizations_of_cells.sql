-- count_organizations_of_cells
-- halo_engine/cells/states.py
SELECT cell_organizations.cell,
       count(*) AS count_1
FROM cell_organizations
GROUP BY cell_organizations.cell;
