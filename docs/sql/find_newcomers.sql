-- find_newcomers
-- halo_engine/enrollment/newcomers.py
-- Parameters: org_id uuid, until timestamp with time zone, after_at timestamp with time zone, after_id uuid, last_at timestamp with time zone, last_id uuid, series_ids uuid[], entered_at timestamp with time zone, limit integer
WITH scanned AS MATERIALIZED
  (SELECT unpacked_end_users.id AS end_user_id,
          unpacked_end_users.created_at AS created_at,
          array_remove(CAST(ARRAY[CASE
                                      WHEN (((unpacked_end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
                                             AND unpacked_end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true) THEN 0::INTEGER
                                  END] AS INTEGER[]), NULL) AS audiences
   FROM
     (SELECT end_users.org_id AS org_id,
             end_users.id AS id,
             end_users.contact_type AS contact_type,
             end_users.email AS email,
             end_users.address AS address,
             end_users.company_id AS company_id,
             end_users.created_at AS created_at,
             end_users.custom_fields #> '{}'::text[] AS custom_fields
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_2)
        AND end_users.created_at <= :until::TIMESTAMP WITH TIME ZONE
        AND (end_users.created_at,
             end_users.id) > (:after_at::TIMESTAMP WITH TIME ZONE,
                                                             :after_id::UUID)
        AND (end_users.created_at,
             end_users.id) <= (:last_at::TIMESTAMP WITH TIME ZONE,
                                                             :last_id::UUID)
        AND end_users.created_at BETWEEN :after_at::TIMESTAMP WITH TIME ZONE AND :last_at::TIMESTAMP WITH TIME ZONE
      LIMIT ALL
      OFFSET '0') AS unpacked_end_users
   WHERE ((unpacked_end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
          AND unpacked_end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true), pairs AS
  (SELECT scanned.end_user_id AS end_user_id,
          scanned.created_at AS created_at,
          scanned.audiences AS audiences,
          ('{0}'::INTEGER[])[(anon_1.ordinal + 1::INTEGER)] AS ordinal,
          (:series_ids::UUID[])[(anon_1.ordinal + 1::INTEGER)] AS automation_id,
          ('{false}'::BOOLEAN[])[(anon_1.ordinal + 1::INTEGER)] AS keeps_refusals,
          ('{NULL}'::INTERVAL[])[(anon_1.ordinal + 1::INTEGER)] AS patience,
          ('{1}'::INTEGER[])[(anon_1.ordinal + 1::INTEGER)] AS series_version,
          ('{true}'::BOOLEAN[])[(anon_1.ordinal + 1::INTEGER)] AS is_active,
          ('{both}'::TEXT[])[(anon_1.ordinal + 1::INTEGER)] AS wants,
          ('{true}'::BOOLEAN[])[(anon_1.ordinal + 1::INTEGER)] AS reenrolls,
          ('{"30 days 0 seconds"}'::INTERVAL[])[(anon_1.ordinal + 1::INTEGER)] AS reenroll_delay,
          ('{true}'::BOOLEAN[])[(anon_1.ordinal + 1::INTEGER)] AS wants_new_match,
          ('{true}'::BOOLEAN[])[(anon_1.ordinal + 1::INTEGER)] AS one_per_company,
          ('{true}'::BOOLEAN[])[(anon_1.ordinal + 1::INTEGER)] AS one_per_address,
          :entered_at::TIMESTAMP WITH TIME ZONE AS entered_at
   FROM scanned
   JOIN unnest(scanned.audiences) AS anon_1(ordinal) ON true)
SELECT DISTINCT pairs.created_at,
                pairs.end_user_id
FROM pairs
LEFT OUTER JOIN LATERAL
  (SELECT automation_enrollments.id AS id,
          automation_enrollments.number AS number,
          automation_enrollments.created_at AS created_at,
          automation_enrollments.ended_at AS ended_at,
          automation_enrollments.left_audience
   OR automation_enrollments.outside_by_definition AS was_outside
   FROM automation_enrollments
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND automation_enrollments.end_user_id = pairs.end_user_id
     AND automation_enrollments.automation_id = pairs.automation_id
   ORDER BY automation_enrollments.number DESC
   LIMIT 1::INTEGER) AS latest ON true
WHERE (latest.number IS NOT NULL
       AND latest.ended_at IS NULL
       OR latest.number IS NOT NULL
       AND NOT pairs.reenrolls
       OR pairs.entered_at - latest.created_at < pairs.reenroll_delay
       OR latest.number IS NOT NULL
       AND pairs.wants_new_match
       AND NOT latest.was_outside) IS NOT true
ORDER BY pairs.created_at,
         pairs.end_user_id
LIMIT :limit::INTEGER;
