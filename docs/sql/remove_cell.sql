-- remove_cell
-- halo_engine/cells/states.py
-- Parameters: cell text
DELETE
FROM cells
WHERE cells.name = :cell::VARCHAR;
