-- remove_leads
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: org_id uuid, lead_id uuid
DELETE
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.id IN (:lead_id::UUID);
