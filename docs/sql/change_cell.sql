-- change_cell
-- halo_engine/cells/changing.py
-- Parameters: cell text
UPDATE cells
SET url='url'::VARCHAR,
    identity='identity'::VARCHAR
WHERE cells.name = :cell::VARCHAR;
