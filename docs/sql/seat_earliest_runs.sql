-- seat_earliest_runs
-- halo_engine/series/rebase.py
-- Parameters: org_id uuid, series_id uuid, now timestamp with time zone
WITH ranked AS
  (SELECT automation_enrollments.end_user_id AS end_user_id,
          end_users.company_id AS company_id,
          row_number() OVER (PARTITION BY end_users.company_id
                             ORDER BY automation_enrollments.created_at, automation_enrollments.id) AS rank
   FROM automation_enrollments
   JOIN end_users ON end_users.org_id = automation_enrollments.org_id
   AND end_users.id = automation_enrollments.end_user_id
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND automation_enrollments.automation_id = :series_id::UUID
     AND automation_enrollments.ended_at IS NULL
     AND end_users.company_id IS NOT NULL),
     seated AS
  (UPDATE automation_enrollments
   SET company_seat=ranked.company_id
   FROM ranked
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_enrollments.automation_id = :series_id::UUID
     AND automation_enrollments.ended_at IS NULL
     AND automation_enrollments.end_user_id = ranked.end_user_id
     AND ranked.rank = 1::INTEGER)
INSERT INTO signals (org_id, kind, company_id, happened_at, created_at)
SELECT :org_id::UUID AS anon_3,
       'company_changed'::VARCHAR AS anon_4,
       ranked.company_id,
       :now::TIMESTAMP WITH TIME ZONE AS anon_5,
                                         :now::TIMESTAMP WITH TIME ZONE AS anon_6
FROM ranked
WHERE ranked.rank = 2::INTEGER;
