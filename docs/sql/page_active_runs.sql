-- page_active_runs
-- halo_engine/journey/removal.py
-- Parameters: org_id uuid, series_id uuid, limit integer
SELECT automation_enrollments.end_user_id
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID
  AND automation_enrollments.ended_at IS NULL
ORDER BY automation_enrollments.id
LIMIT :limit::INTEGER;
