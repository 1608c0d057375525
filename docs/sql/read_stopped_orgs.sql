-- read_stopped_orgs
-- halo_engine/mail/sending/stops.py
-- Parameters: org_key text
SELECT organizations.key AS org,
       organizations.sending_stopped_at AS since,
       organizations.sending_stopped_by AS by
FROM organizations
WHERE organizations.sending_stopped_at IS NOT NULL
  AND organizations.key = :org_key::VARCHAR
ORDER BY organizations.key;
