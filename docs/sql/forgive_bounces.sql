-- forgive_bounces
-- halo_engine/contacts/consent/unsuppress.py
-- Parameters: now timestamp with time zone, org_id uuid, address text
UPDATE bounce_reports
SET forgiven_at=:now::TIMESTAMP WITH TIME ZONE
WHERE bounce_reports.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND bounce_reports.forgiven_at IS NULL
  AND
    (SELECT lower(messages.to_address) AS lower_1
     FROM messages
     WHERE messages.org_id = bounce_reports.org_id
       AND messages.recipient_id = bounce_reports.recipient_id) = :address::VARCHAR;
