-- hold_addresses_of_runs
-- halo_engine/series/rebase.py
-- Parameters: org_id uuid, series_id uuid
UPDATE automation_enrollments
SET address=coalesce(automation_enrollments.address, end_users.address, ''::VARCHAR),
    holds_address=(coalesce(automation_enrollments.address, end_users.address, ''::VARCHAR) != ''::VARCHAR)
FROM end_users
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID
  AND automation_enrollments.ended_at IS NULL
  AND end_users.org_id = automation_enrollments.org_id
  AND end_users.id = automation_enrollments.end_user_id;
