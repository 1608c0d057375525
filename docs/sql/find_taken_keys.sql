-- find_taken_keys
-- halo_engine/cells/joining.py
SELECT cell_organizations.key
FROM cell_organizations,
     unnest('{org-key}'::TEXT[]) AS anon_1(key)
WHERE cell_organizations.key = anon_1.key;
