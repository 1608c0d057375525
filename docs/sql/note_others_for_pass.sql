-- note_others_for_pass
-- halo_engine/series/noting.py
-- Parameters: org_id uuid
WITH theirs AS
  (SELECT pass_notes.end_user_id AS end_user_id,
          pass_notes.company_id AS company_id,
          pass_notes.namesakes AS namesakes
   FROM pass_notes
   WHERE pass_notes.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND pass_notes.end_user_id = ANY ('{}'::UUID[]))
INSERT INTO pass_notes (org_id, end_user_id, company_id)
SELECT :org_id::UUID AS anon_1,
       CAST(NULL AS UUID) AS anon_2,
       theirs.company_id
FROM theirs
WHERE theirs.company_id IS NOT NULL
UNION
SELECT :org_id::UUID AS anon_1,
       other.id,
       CAST(NULL AS UUID) AS anon_2
FROM end_users AS other
WHERE other.org_id =
    (SELECT :org_id::UUID AS anon_4)
  AND other.address IN
    (SELECT holder.address
     FROM end_users AS holder,
          theirs
     WHERE holder.org_id =
         (SELECT :org_id::UUID AS anon_5)
       AND holder.id = theirs.end_user_id
       AND theirs.namesakes
       AND holder.address IS NOT NULL
     UNION SELECT automation_enrollments.address
     FROM automation_enrollments,
          theirs
     WHERE automation_enrollments.org_id =
         (SELECT :org_id::UUID AS anon_6)
       AND automation_enrollments.end_user_id = theirs.end_user_id
       AND theirs.namesakes
       AND automation_enrollments.holds_address)
  AND other.id != ALL ('{}'::UUID[]);
