-- free_seats
-- halo_engine/series/rebase.py
-- Parameters: org_id uuid, series_id uuid
UPDATE automation_enrollments
SET company_seat=NULL
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID
  AND automation_enrollments.company_seat IS NOT NULL
  AND automation_enrollments.ended_at IS NULL;
