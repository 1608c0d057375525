-- note_change_everywhere
-- halo_engine/operators/audit.py
-- Parameters: search text
INSERT INTO audit_log (org_id, at, by, action, target)
SELECT organizations.id,
       now() AS now_1,
       :search::VARCHAR AS anon_1,
       'series.pause'::VARCHAR AS anon_2,
       'welcome'::VARCHAR AS anon_3
FROM organizations;
