-- rotate_widget_key
-- halo_engine/organizations/widget_keys.py
-- Parameters: widget_key text, org_key text
UPDATE organizations
SET widget_key=:widget_key::VARCHAR,
    old_widget_key=organizations.widget_key
WHERE organizations.key = :org_key::VARCHAR
  AND organizations.old_widget_key IS NULL;
