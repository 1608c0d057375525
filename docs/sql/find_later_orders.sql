-- find_later_orders
-- halo_engine/series/orders.py
-- Parameters: org_id uuid, series_key text, sent_at timestamp with time zone
SELECT automations.key,
       automations.status_ordered_at AS changed_at
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.key IN (:series_key::VARCHAR)
  AND automations.status != 'completed'::VARCHAR
  AND automations.status_ordered_at > :sent_at::TIMESTAMP WITH TIME ZONE
ORDER BY automations.key;
