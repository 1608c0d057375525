-- reserve_key
-- halo_engine/cells/placing.py
-- Parameters: org_key text, cell text
INSERT INTO cell_organizations (key, cell)
VALUES (:org_key::VARCHAR, :cell::VARCHAR);
