-- stop_series
-- halo_engine/series/lifecycle.py
-- Parameters: now timestamp with time zone, org_id uuid, series_id uuid
UPDATE automations
SET status='completed'::VARCHAR,
    updated_at=:now::TIMESTAMP WITH TIME ZONE,
                                         status_ordered_at=:now::TIMESTAMP WITH TIME ZONE
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.id = :series_id::UUID;
