-- insert_organization_whole
-- halo_engine/moving/switching.py
INSERT INTO organizations
SELECT (jsonb_populate_record(CAST(NULL AS organizations), '{"key": "org-key"}'::JSONB)).*;
