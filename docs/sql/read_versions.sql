-- read_versions
-- halo_engine/series/files/history.py
-- Parameters: org_id uuid, series_key text
SELECT automation_versions.org_id,
       automation_versions.automation_id,
       automation_versions.version,
       automation_versions.saved_at,
       automation_versions.saved_by,
       automation_versions.via,
       automation_versions.definition
FROM automations
JOIN automation_versions ON automation_versions.org_id = automations.org_id
AND automation_versions.automation_id = automations.id
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automations.key = :series_key::VARCHAR
ORDER BY automation_versions.version;
