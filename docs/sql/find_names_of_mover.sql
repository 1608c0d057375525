-- find_names_of_mover
-- halo_engine/moving/checks.py
SELECT organizations.id
FROM organizations
WHERE organizations.id IS NULL
  OR organizations.key IS NULL
  OR organizations.widget_key IN (NULL)
  AND (1 != 1)
  OR organizations.old_widget_key IN (NULL)
  AND (1 != 1)
LIMIT 1::INTEGER;
