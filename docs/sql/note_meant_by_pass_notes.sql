-- note_meant_by_pass_notes
-- Note whom the taken notes mean, and further contacts and companies; select how many contacts are noted
-- halo_engine/pipeline/passes/taking.py
-- Parameters: org_id uuid, signal_id bigint
WITH taken AS
  (SELECT pass_notes.end_user_id AS end_user_id,
          pass_notes.company_id AS company_id,
          pass_notes.namesakes AS namesakes
   FROM pass_notes
   WHERE pass_notes.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND pass_notes.taken_by = :signal_id::BIGINT),
     noted AS
  (INSERT INTO pass_notes (org_id, end_user_id, taken_by) SELECT :org_id::UUID AS anon_1,
                                                                 meant.end_user_id AS end_user_id,
                                                                 :signal_id::BIGINT AS anon_2
   FROM
     (SELECT unnest('{}'::UUID[]) AS end_user_id
      UNION SELECT end_users.id AS end_user_id
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_3)
        AND end_users.company_id IN
          (SELECT taken.company_id
           FROM taken
           WHERE taken.company_id IS NOT NULL
           UNION SELECT unnest('{}'::UUID[]) AS unnest_1)
      UNION SELECT end_users.id AS end_user_id
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_3)
        AND end_users.address IN
          (SELECT holder.address
           FROM end_users AS holder,
                taken
           WHERE holder.org_id =
               (SELECT :org_id::UUID AS anon_5)
             AND holder.id = taken.end_user_id
             AND taken.namesakes
             AND holder.address IS NOT NULL
           UNION SELECT automation_enrollments.address
           FROM automation_enrollments,
                taken
           WHERE automation_enrollments.org_id =
               (SELECT :org_id::UUID AS anon_6)
             AND automation_enrollments.end_user_id = taken.end_user_id
             AND taken.namesakes
             AND automation_enrollments.holds_address)) AS meant RETURNING pass_notes.end_user_id)
SELECT count(*) AS count_1
FROM
  (SELECT noted.end_user_id AS end_user_id
   FROM noted
   UNION ALL SELECT taken.end_user_id AS end_user_id
   FROM taken
   WHERE taken.end_user_id IS NOT NULL) AS all_meant;
