-- work_out_surge
-- Count at each instant what the span that ends there holds
-- halo_engine/series/surges/automatic.py
-- Parameters: org_id uuid, series_id uuid, now timestamp with time zone
SELECT max(spans.inside) AS max_1
FROM
  (SELECT count(*) OVER (
                         ORDER BY instants.at RANGE BETWEEN INTERVAL '0 days 3599 seconds' PRECEDING AND CURRENT ROW) AS inside
   FROM
     (SELECT automation_enrollments.created_at AS at
      FROM automation_enrollments
      WHERE automation_enrollments.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND automation_enrollments.automation_id = :series_id::UUID
        AND automation_enrollments.created_at > '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE
        AND automation_enrollments.created_at <= :now::TIMESTAMP WITH TIME ZONE) AS instants) AS spans;
