-- forget_pass_notes
-- halo_engine/pipeline/passes/forgetting.py
-- Parameters: org_id uuid, signal_id bigint, now timestamp with time zone
WITH gone AS
  (DELETE
   FROM pass_notes
   WHERE pass_notes.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND pass_notes.id IN
       (SELECT pass_notes.id
        FROM pass_notes
        WHERE pass_notes.org_id =
            (SELECT :org_id::UUID AS anon_2)
          AND pass_notes.id <= 0::BIGINT
          AND (pass_notes.org_id =
                 (SELECT :org_id::UUID AS anon_3)
               AND pass_notes.taken_by = :signal_id::BIGINT
               OR pass_notes.org_id =
                 (SELECT :org_id::UUID AS anon_4)
               AND (pass_notes.taken_by IS NULL
                    OR NOT (EXISTS
                              (SELECT *
                               FROM signals
                               WHERE signals.org_id =
                                   (SELECT :org_id::UUID AS anon_5)
                                 AND signals.id = pass_notes.taken_by))))
        ORDER BY pass_notes.id
        LIMIT 100000::INTEGER) RETURNING pass_notes.end_user_id,
                                         pass_notes.company_id,
                                         pass_notes.namesakes),
     noted AS
  (INSERT INTO pass_notes (org_id, end_user_id, taken_by) SELECT :org_id::UUID AS anon_6,
                                                                 meant.end_user_id AS end_user_id,
                                                                 :signal_id::BIGINT AS anon_7
   FROM
     (SELECT gone.end_user_id AS end_user_id
      FROM gone
      WHERE gone.end_user_id IS NOT NULL
      UNION SELECT unnest('{}'::UUID[]) AS end_user_id
      UNION SELECT end_users.id AS end_user_id
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_8)
        AND end_users.company_id IN
          (SELECT gone.company_id
           FROM gone
           WHERE gone.company_id IS NOT NULL
           UNION SELECT unnest('{}'::UUID[]) AS unnest_1)
      UNION SELECT end_users.id AS end_user_id
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_8)
        AND end_users.address IN
          (SELECT holder.address
           FROM end_users AS holder,
                gone
           WHERE holder.org_id =
               (SELECT :org_id::UUID AS anon_9)
             AND holder.id = gone.end_user_id
             AND gone.namesakes
             AND holder.address IS NOT NULL
           UNION SELECT automation_enrollments.address
           FROM automation_enrollments,
                gone
           WHERE automation_enrollments.org_id =
               (SELECT :org_id::UUID AS anon_10)
             AND automation_enrollments.end_user_id = gone.end_user_id
             AND gone.namesakes
             AND automation_enrollments.holds_address)) AS meant
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_11)
   AND end_users.id = meant.end_user_id
   WHERE end_users.created_at > :now::TIMESTAMP WITH TIME ZONE RETURNING pass_notes.end_user_id)
SELECT
  (SELECT count(*) AS count_1
   FROM gone) AS forgotten,

  (SELECT count(*) AS count_2
   FROM noted) AS noted;
