-- revoke_old_widget_key
-- halo_engine/organizations/widget_keys.py
-- Parameters: org_key text
UPDATE organizations
SET old_widget_key=NULL::VARCHAR
WHERE organizations.key = :org_key::VARCHAR
  AND organizations.old_widget_key IS NOT NULL;
