-- read_keeps
-- halo_engine/retention/dropping.py
SELECT organizations.id,
       organizations.keeps
FROM organizations;
