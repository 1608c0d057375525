-- read_written_series
-- halo_engine/series/writing.py
-- Parameters: org_id uuid, series_key text
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
       automations.release_within_seconds,
       subscriptions.key AS subscription
FROM automations
LEFT OUTER JOIN subscriptions ON subscriptions.org_id = automations.org_id
AND subscriptions.id = automations.subscription_id
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.key IN (:series_key::VARCHAR);
