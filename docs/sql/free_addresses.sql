-- free_addresses
-- halo_engine/series/rebase.py
-- Parameters: org_id uuid, series_id uuid
UPDATE automation_enrollments
SET holds_address=false
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_enrollments.automation_id = :series_id::UUID
  AND automation_enrollments.holds_address;
