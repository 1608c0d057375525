-- announce_series
-- halo_engine/series/checking/named_series.py
-- Parameters: series_keys text[], org_id uuid
UPDATE organizations
SET announced_series=(organizations.announced_series || :series_keys::TEXT[])
WHERE organizations.id = :org_id::UUID;
