-- find_over_delays
-- halo_engine/pipeline/passes/passing_time.py
-- Parameters: org_id uuid, limit integer
SELECT DISTINCT automation_enrollments.end_user_id
FROM unnest('{}'::UUID[], '{}'::TIMESTAMP WITH TIME ZONE[], '{}'::TIMESTAMP WITH TIME ZONE[]) AS anon_1(automation_id, after_at, until)
JOIN automation_enrollments ON automation_enrollments.automation_id = anon_1.automation_id
AND automation_enrollments.created_at >= anon_1.after_at
AND automation_enrollments.created_at <= anon_1.until
WHERE automation_enrollments.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND (automation_enrollments.left_audience
       OR automation_enrollments.outside_by_definition)
LIMIT :limit::INTEGER;
