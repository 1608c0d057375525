-- page_bucket
-- halo_engine/answers/reports/bucket.py
-- Parameters: now timestamp with time zone, org_id uuid, series_ids uuid[], after_id uuid, limit integer
WITH scanned AS
  (SELECT :now::TIMESTAMP WITH TIME ZONE AS entered_at,
                                            end_users.id AS end_user_id,
                                            end_users.contact_type AS contact_type,
                                            end_users.company_id AS company_id,
                                            end_users.address AS address,
                                            end_users.created_at AS contact_created_at,
                                            EXISTS
     (SELECT *
      FROM suppressions
      WHERE suppressions.org_id = end_users.org_id
        AND suppressions.address = end_users.address) AS suppressed,
                                                   array_remove(CAST(ARRAY[CASE
                                                                               WHEN (((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
                                                                                      AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true) THEN 0::INTEGER
                                                                           END] AS INTEGER[]), NULL) AS audiences,
                                                   array_remove(CAST(ARRAY[CASE
                                                                               WHEN ((companies.name = 'Halo'::VARCHAR) IS true) THEN 0::INTEGER
                                                                           END] AS INTEGER[]), NULL) AS exit_filters,
                                                   array_remove(CAST(ARRAY[CASE
                                                                               WHEN ((0::INTEGER >= '3') IS true) THEN 0::INTEGER
                                                                           END] AS INTEGER[]), NULL) AS goals
   FROM end_users
   LEFT OUTER JOIN companies ON companies.org_id = end_users.org_id
   AND companies.id = end_users.company_id
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_2)),
     pairs AS
  (SELECT scanned.entered_at AS entered_at,
          scanned.end_user_id AS end_user_id,
          scanned.contact_type AS contact_type,
          scanned.company_id AS company_id,
          scanned.address AS address,
          scanned.contact_created_at AS contact_created_at,
          scanned.suppressed AS suppressed,
          scanned.audiences AS audiences,
          scanned.exit_filters AS exit_filters,
          scanned.goals AS goals,
          anon_1.ordinal AS ordinal,
          anon_1.automation_id AS automation_id,
          anon_1.keeps_refusals AS keeps_refusals,
          anon_1.patience AS patience,
          anon_1.series_version AS series_version,
          anon_1.is_active AS is_active,
          anon_1.wants AS wants,
          anon_1.reenrolls AS reenrolls,
          anon_1.reenroll_delay AS reenroll_delay,
          anon_1.wants_new_match AS wants_new_match,
          anon_1.one_per_company AS one_per_company,
          anon_1.one_per_address AS one_per_address
   FROM scanned
   JOIN unnest('{0}'::INTEGER[], :series_ids::UUID[], '{false}'::BOOLEAN[], '{NULL}'::INTERVAL[], '{1}'::INTEGER[], '{true}'::BOOLEAN[], '{both}'::TEXT[], '{true}'::BOOLEAN[], '{"30 days 0 seconds"}'::INTERVAL[], '{true}'::BOOLEAN[], '{true}'::BOOLEAN[], '{true}'::BOOLEAN[]) AS anon_1(ordinal, automation_id, keeps_refusals, patience, series_version, is_active, wants, reenrolls, reenroll_delay, wants_new_match, one_per_company, one_per_address) ON true),
     judged AS
  (SELECT pairs.entered_at AS entered_at,
          pairs.end_user_id AS end_user_id,
          pairs.contact_type AS contact_type,
          pairs.company_id AS company_id,
          pairs.address AS address,
          pairs.contact_created_at AS contact_created_at,
          pairs.suppressed AS suppressed,
          pairs.audiences AS audiences,
          pairs.exit_filters AS exit_filters,
          pairs.goals AS goals,
          pairs.ordinal AS ordinal,
          pairs.automation_id AS automation_id,
          pairs.keeps_refusals AS keeps_refusals,
          pairs.patience AS patience,
          pairs.series_version AS series_version,
          pairs.is_active AS is_active,
          pairs.wants AS wants,
          pairs.reenrolls AS reenrolls,
          pairs.reenroll_delay AS reenroll_delay,
          pairs.wants_new_match AS wants_new_match,
          pairs.one_per_company AS one_per_company,
          pairs.one_per_address AS one_per_address,
          pairs.ordinal = ANY (pairs.audiences) AS audience_holds,
                              CASE
                                  WHEN pairs.one_per_company THEN pairs.company_id
                              END AS seat,
                              CASE
                                  WHEN pairs.one_per_address THEN nullif(pairs.address, ''::VARCHAR)
                              END AS held_address,
                              latest.id AS latest_id,
                              latest.number AS latest_number,
                              latest.created_at AS latest_at,
                              latest.number IS NOT NULL
   AND latest.ended_at IS NULL AS is_enrolled,
                          CASE
                              WHEN NOT pairs.is_active THEN 'series_not_active'::VARCHAR
                              WHEN (pairs.wants != 'both'::VARCHAR
                                    AND pairs.contact_type != pairs.wants) THEN 'contact_type'::VARCHAR
                              WHEN NOT (pairs.ordinal = ANY (pairs.audiences)) THEN 'audience_mismatch'::VARCHAR
                              WHEN pairs.suppressed THEN 'suppressed'::VARCHAR
                              WHEN (latest.number IS NOT NULL
                                    AND latest.ended_at IS NULL) THEN 'already_active'::VARCHAR
                              WHEN (latest.number IS NOT NULL
                                    AND NOT pairs.reenrolls) THEN 'already_enrolled'::VARCHAR
                              WHEN (pairs.entered_at - latest.created_at < pairs.reenroll_delay) THEN 'reenroll_delay'::VARCHAR
                              WHEN (latest.number IS NOT NULL
                                    AND pairs.wants_new_match
                                    AND NOT latest.was_outside) THEN 'not_newly_matching'::VARCHAR
                              WHEN (pairs.ordinal = ANY (pairs.exit_filters)) THEN 'exit_filter'::VARCHAR
                              WHEN (seated.number IS NOT NULL) THEN 'company_already_enrolled'::VARCHAR
                              WHEN (namesake.number IS NOT NULL) THEN 'address_already_enrolled'::VARCHAR
                              ELSE NULL
                          END AS guard
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
   LEFT OUTER JOIN LATERAL
     (SELECT seated.number AS number
      FROM automation_enrollments AS seated
      WHERE seated.org_id =
          (SELECT :org_id::UUID AS anon_4)
        AND seated.company_seat = CASE
                                      WHEN pairs.one_per_company THEN pairs.company_id
                                  END
        AND seated.ended_at IS NULL
        AND seated.automation_id IS NOT DISTINCT
        FROM pairs.automation_id
      LIMIT 1::INTEGER) AS seated ON true
   LEFT OUTER JOIN LATERAL
     (SELECT namesakes.end_user_id AS end_user_id,
             namesakes.number AS number,
             namesakes.created_at AS created_at
      FROM automation_enrollments AS namesakes
      WHERE namesakes.org_id =
          (SELECT :org_id::UUID AS anon_5)
        AND namesakes.address = CASE
                                    WHEN pairs.one_per_address THEN nullif(pairs.address, ''::VARCHAR)
                                END
        AND namesakes.holds_address
        AND namesakes.automation_id IS NOT DISTINCT
        FROM pairs.automation_id
        AND namesakes.end_user_id != pairs.end_user_id
        AND namesakes.ended_at IS NULL
      ORDER BY namesakes.created_at,
               namesakes.id
      LIMIT 1::INTEGER) AS namesake ON true),
     coded AS
  (SELECT judged.entered_at AS entered_at,
          judged.end_user_id AS end_user_id,
          judged.contact_type AS contact_type,
          judged.company_id AS company_id,
          judged.address AS address,
          judged.contact_created_at AS contact_created_at,
          judged.suppressed AS suppressed,
          judged.audiences AS audiences,
          judged.exit_filters AS exit_filters,
          judged.goals AS goals,
          judged.ordinal AS ordinal,
          judged.automation_id AS automation_id,
          judged.keeps_refusals AS keeps_refusals,
          judged.patience AS patience,
          judged.series_version AS series_version,
          judged.is_active AS is_active,
          judged.wants AS wants,
          judged.reenrolls AS reenrolls,
          judged.reenroll_delay AS reenroll_delay,
          judged.wants_new_match AS wants_new_match,
          judged.one_per_company AS one_per_company,
          judged.one_per_address AS one_per_address,
          judged.audience_holds AS audience_holds,
          judged.seat AS seat,
          judged.held_address AS held_address,
          judged.latest_id AS latest_id,
          judged.latest_number AS latest_number,
          judged.latest_at AS latest_at,
          judged.is_enrolled AS is_enrolled,
          judged.guard AS guard,
          CASE
              WHEN judged.is_enrolled THEN 'active'::VARCHAR
              WHEN (judged.guard = 'series_not_active'::VARCHAR) THEN 'series_not_active'::VARCHAR
              WHEN false THEN 'waiting_for_data'::VARCHAR
              ELSE coalesce(enrollment_refusals.code, judged.guard, 'awaiting_evaluation'::VARCHAR)
          END AS code,
          CASE
              WHEN (CAST(NULL AS TIMESTAMP WITH TIME ZONE) IS NOT NULL) THEN NULL
              ELSE enrollment_refusals.refused_at
          END AS refused_at,
          CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS held_at,
          CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS fired_at,
          CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS waits_until
   FROM judged
   LEFT OUTER JOIN enrollment_refusals ON judged.keeps_refusals
   AND enrollment_refusals.org_id =
     (SELECT :org_id::UUID AS anon_6)
   AND enrollment_refusals.automation_id = judged.automation_id
   AND enrollment_refusals.end_user_id = judged.end_user_id
   AND enrollment_refusals.arrival > coalesce(judged.latest_id, 0::INTEGER))
SELECT contact.id,
       contact.external_id,
       contact.email,
       contact.name,
       contact.contact_type,
       contact.created_at
FROM coded
JOIN end_users AS contact ON contact.org_id =
  (SELECT :org_id::UUID AS anon_7)
AND contact.id = coded.end_user_id
WHERE coded.code = 'active'::VARCHAR
  AND coalesce(NOT (coded.wants != 'both'::VARCHAR
                    AND coded.contact_type != coded.wants)
               AND coded.audience_holds
               AND NOT coded.suppressed, false)
  AND (contact.created_at,
       contact.id) <
    (SELECT coalesce(
                       (SELECT last.created_at
                        FROM end_users AS last
                        WHERE last.org_id =
                            (SELECT :org_id::UUID AS anon_8)
                          AND last.id = :after_id::UUID),
                       (SELECT near.created_at
                        FROM end_users AS near
                        WHERE near.org_id =
                            (SELECT :org_id::UUID AS anon_9)
                          AND near.id < :after_id::UUID
                        ORDER BY near.id DESC
                        LIMIT 1::INTEGER)) AS coalesce_4,
            :after_id::UUID AS anon_10)
ORDER BY contact.created_at DESC,
         contact.id DESC
LIMIT :limit::INTEGER;
