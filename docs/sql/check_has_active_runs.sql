-- check_has_active_runs
-- halo_engine/series/lifecycle.py
-- Parameters: org_id uuid, series_id uuid
SELECT EXISTS
  (SELECT *
   FROM automation_enrollments
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_enrollments.automation_id = :series_id::UUID
     AND automation_enrollments.ended_at IS NULL) AS anon_1;
