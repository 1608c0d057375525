-- find_cell
-- halo_engine/cells/directory.py
-- Parameters: cell text
SELECT cells.name,
       cells.url,
       cells.identity,
       cells.state,
       cells.most_organizations
FROM cells
WHERE cells.name = :cell::VARCHAR;
