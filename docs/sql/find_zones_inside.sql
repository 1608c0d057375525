-- find_zones_inside
-- halo_engine/series/rescheduling.py
-- Parameters: org_id uuid, series_id uuid
SELECT DISTINCT left(end_users.custom_fields ->> 'timezone'::TEXT, 64::INTEGER) AS left_1
FROM automation_recipients
JOIN end_users ON end_users.org_id = automation_recipients.org_id
AND end_users.id = automation_recipients.end_user_id
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.automation_id = :series_id::UUID
  AND automation_recipients.status = 'pending'
  AND left((end_users.custom_fields ->> 'timezone'::TEXT), 64::INTEGER) IS NOT NULL;
