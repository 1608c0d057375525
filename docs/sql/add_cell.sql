-- add_cell
-- halo_engine/cells/joining.py
-- Parameters: cell text
INSERT INTO cells (name, url, identity)
VALUES (:cell::VARCHAR, 'url'::VARCHAR, 'identity'::VARCHAR);
