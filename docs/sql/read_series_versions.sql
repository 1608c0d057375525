-- read_series_versions
-- halo_engine/series/cache.py
-- Parameters: org_id uuid, statuses text[]
SELECT string_agg(concat(automations.id, ' '::VARCHAR, CAST(CAST(automations.xmin AS TEXT) AS BIGINT)), ','::VARCHAR
                  ORDER BY automations.created_at, automations.id) AS versions
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.status = ANY (:statuses::TEXT[]);
