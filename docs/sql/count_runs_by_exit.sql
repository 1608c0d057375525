-- count_runs_by_exit
-- halo_engine/answers/operations/measures.py
SELECT automation_enrollments.exit_reason AS kind,
       count(*) AS number
FROM automation_enrollments
GROUP BY automation_enrollments.exit_reason;
