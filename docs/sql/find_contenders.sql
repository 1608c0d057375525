-- find_contenders
-- Find who shares a seat or an address with others of the set; nobody, where the guards can be settled one by one
-- halo_engine/enrollment/losers.py
-- Parameters: entered_at timestamp with time zone, contact_ids uuid[], org_id uuid, series_ids uuid[]
WITH scanned AS
  (SELECT :entered_at::TIMESTAMP WITH TIME ZONE AS entered_at,
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
   WHERE end_users.id = ANY (:contact_ids::UUID[])
     AND end_users.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
          AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true),
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
          ('{true}'::BOOLEAN[])[(anon_1.ordinal + 1::INTEGER)] AS one_per_address
   FROM scanned
   JOIN unnest(scanned.audiences) AS anon_1(ordinal) ON true),
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
      LIMIT 1::INTEGER) AS namesake ON true)
SELECT decided.ordinal,
       decided.contact_id,
       decided.seat,
       decided.held_address AS address
FROM
  (SELECT settled.ordinal AS ordinal,
          settled.contact_id AS contact_id,
          settled.contact_created_at AS contact_created_at,
          settled.seat AS seat,
          settled.held_address AS held_address,
          settled.place AS place,
          settled.colleagues AS colleagues,
          settled.namesakes AS namesakes,
          settled.leaves_seat AS leaves_seat,
          bool_or(settled.leaves_seat) OVER () AS is_contested
   FROM
     (SELECT placed.ordinal AS ordinal,
             placed.contact_id AS contact_id,
             placed.contact_created_at AS contact_created_at,
             placed.seat AS seat,
             placed.held_address AS held_address,
             placed.place AS place,
             placed.colleagues AS colleagues,
             placed.namesakes AS namesakes, (placed.seat IS NULL
                                             OR placed.place = 1::INTEGER)
      AND placed.held_address IS NOT NULL
      AND row_number() OVER (PARTITION BY placed.ordinal, placed.held_address, placed.seat IS NULL
                             OR placed.place = 1::INTEGER
                             ORDER BY placed.contact_created_at, placed.contact_id) > 1::INTEGER
      AND placed.colleagues > 1::INTEGER AS leaves_seat
      FROM
        (SELECT free.ordinal AS ordinal,
                free.contact_id AS contact_id,
                free.contact_created_at AS contact_created_at,
                free.seat AS seat,
                free.held_address AS held_address,
                row_number() OVER (PARTITION BY free.ordinal, free.seat
                                   ORDER BY free.contact_created_at, free.contact_id) AS place,
                count(free.seat) OVER (PARTITION BY free.ordinal, free.seat) AS colleagues,
                count(free.held_address) OVER (PARTITION BY free.ordinal, free.held_address) AS namesakes
         FROM
           (SELECT judged.ordinal AS ordinal,
                   judged.end_user_id AS contact_id,
                   judged.contact_created_at AS contact_created_at,
                   judged.seat AS seat,
                   judged.held_address AS held_address
            FROM judged
            WHERE judged.guard IS NULL) AS free) AS placed) AS settled) AS decided
WHERE decided.is_contested
  AND (decided.colleagues > 1::INTEGER
       OR decided.namesakes > 1::INTEGER)
ORDER BY decided.contact_created_at,
         decided.contact_id;
