-- read_overview
-- halo_engine/answers/reports/overview.py
-- Parameters: org_id uuid
SELECT automations.key AS series,
       automations.name,
       automations.status,
       automations.kind,
       automations.entry_trigger,
       automations.audience_type,
       automations.updated_at,
       count(automation_enrollments.id) AS enrollments,
       count(automation_enrollments.id) FILTER (
                                                WHERE automation_enrollments.ended_at IS NULL) AS active
FROM automations
LEFT OUTER JOIN automation_enrollments ON automation_enrollments.org_id = automations.org_id
AND automation_enrollments.automation_id = automations.id
WHERE automations.org_id =
    (SELECT :org_id::UUID AS anon_1)
GROUP BY automations.org_id,
         automations.id
ORDER BY automations.created_at,
         automations.id;
