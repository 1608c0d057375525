-- note_removed_for_pass
-- halo_engine/series/noting.py
-- Parameters: org_id uuid, contact_ids uuid[]
INSERT INTO pass_notes (org_id, company_id, automation_id)
SELECT :org_id::UUID AS anon_1,
       automation_enrollments.company_seat,
       CASE
           WHEN automation_enrollments.holds_address THEN automation_enrollments.automation_id
           ELSE CAST(NULL AS UUID)
       END AS anon_2
FROM automation_enrollments
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_3)
  AND automation_enrollments.end_user_id = ANY (:contact_ids::UUID[])
  AND automation_enrollments.ended_at IS NULL
  AND (automation_enrollments.company_seat IS NOT NULL
       OR automation_enrollments.holds_address);
