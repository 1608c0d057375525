-- read_series
-- halo_engine/series/catalogue.py
-- Parameters: org_id uuid
SELECT automations.org_id,
       automations.id,
       automations.key,
       automations.name,
       automations.kind,
       automations.status,
       automations.entry_trigger,
       automations.audience_type,
       automations.contact_type,
       automations.subscription_id,
       automations.audience_filters,
       automations.settings,
       automations.created_at,
       automations.updated_at,
       automations.activated_at,
       automations.status_ordered_at,
       automations.definition_ordered_at,
       automations.version,
       automations.has_surges,
       automations.surge_at_most,
       automations.release_at_most,
       automations.release_within_seconds
FROM automations
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.status IN ('active'::VARCHAR,
                             'paused'::VARCHAR,
                             'completed'::VARCHAR)
ORDER BY automations.created_at,
         automations.id;
