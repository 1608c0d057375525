-- page_series
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid, search text, limit integer
SELECT automations.id,
       automations.key AS series,
       automations.name,
       automations.status,
       automations.kind,
       automations.entry_trigger,
       automations.audience_type,
       automations.updated_at,
       CAST(automations.settings ->> 'entry_event_name'::TEXT AS VARCHAR) AS entry_event_name
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND ((lower(automations.name) LIKE '%' || :search::VARCHAR || '%' ESCAPE '/')
       OR (lower(automations.key) LIKE '%' || :search::VARCHAR || '%' ESCAPE '/'))
ORDER BY automations.id DESC
LIMIT :limit::INTEGER;
