-- set_cell_state
-- halo_engine/cells/states.py
-- Parameters: cell text
UPDATE cells
SET state='draining'::VARCHAR
WHERE cells.name = :cell::VARCHAR;
