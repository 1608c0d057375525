-- read_cells
-- halo_engine/cells/directory.py
SELECT cells.name,
       cells.url,
       cells.identity,
       cells.state,
       cells.most_organizations
FROM cells
ORDER BY cells.name;
