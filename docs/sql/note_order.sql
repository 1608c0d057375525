-- note_order
-- halo_engine/series/orders.py
-- Parameters: sent_at timestamp with time zone, org_id uuid, series_key text
UPDATE automations
SET status_ordered_at=:sent_at::TIMESTAMP WITH TIME ZONE
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.key IN (:series_key::VARCHAR)
  AND automations.status_ordered_at > :sent_at::TIMESTAMP WITH TIME ZONE;
