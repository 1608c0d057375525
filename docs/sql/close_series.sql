-- close_series
-- halo_engine/contacts/erasure/organizations.py
-- Parameters: org_id uuid
UPDATE automations
SET status='completed'::VARCHAR
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.status != 'draft'::VARCHAR;
