-- enroll
-- Build the statement, without the parts that none of the series needs
-- halo_engine/enrollment/enroll.py
-- Parameters: entered_at timestamp with time zone, contact_ids uuid[], org_id uuid, series_ids uuid[], losers_end_user_id, losers_ordinal, losers_lost, waiting_step_ids uuid[]
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
       (SELECT :org_id::UUID AS anon_4)
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
          ('{0}'::INTEGER[])[(anon_3.ordinal + 1::INTEGER)] AS ordinal,
          (:series_ids::UUID[])[(anon_3.ordinal + 1::INTEGER)] AS automation_id,
          ('{false}'::BOOLEAN[])[(anon_3.ordinal + 1::INTEGER)] AS keeps_refusals,
          ('{NULL}'::INTERVAL[])[(anon_3.ordinal + 1::INTEGER)] AS patience,
          ('{1}'::INTEGER[])[(anon_3.ordinal + 1::INTEGER)] AS series_version,
          ('{true}'::BOOLEAN[])[(anon_3.ordinal + 1::INTEGER)] AS is_active,
          ('{both}'::TEXT[])[(anon_3.ordinal + 1::INTEGER)] AS wants,
          ('{true}'::BOOLEAN[])[(anon_3.ordinal + 1::INTEGER)] AS reenrolls,
          ('{"30 days 0 seconds"}'::INTERVAL[])[(anon_3.ordinal + 1::INTEGER)] AS reenroll_delay,
          ('{true}'::BOOLEAN[])[(anon_3.ordinal + 1::INTEGER)] AS wants_new_match,
          ('{true}'::BOOLEAN[])[(anon_3.ordinal + 1::INTEGER)] AS one_per_company,
          ('{true}'::BOOLEAN[])[(anon_3.ordinal + 1::INTEGER)] AS one_per_address
   FROM scanned
   JOIN unnest(scanned.audiences) AS anon_3(ordinal) ON true),
     judged AS MATERIALIZED
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
          (SELECT :org_id::UUID AS anon_5)
        AND automation_enrollments.end_user_id = pairs.end_user_id
        AND automation_enrollments.automation_id = pairs.automation_id
      ORDER BY automation_enrollments.number DESC
      LIMIT 1::INTEGER) AS latest ON true
   LEFT OUTER JOIN LATERAL
     (SELECT seated.number AS number
      FROM automation_enrollments AS seated
      WHERE seated.org_id =
          (SELECT :org_id::UUID AS anon_6)
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
          (SELECT :org_id::UUID AS anon_7)
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
      LIMIT 1::INTEGER) AS namesake ON true), without_losers AS
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
          coalesce(judged.guard, anon_2.lost) AS guard
   FROM judged
   LEFT OUTER JOIN unnest(:losers_end_user_id::UUID[], :losers_ordinal::INTEGER[], :losers_lost::TEXT[]) AS anon_2(end_user_id, ordinal, lost) ON judged.end_user_id = anon_2.end_user_id
   AND anon_2.ordinal = judged.ordinal),
                                              seated AS
  (SELECT without_losers.entered_at AS entered_at,
          without_losers.end_user_id AS end_user_id,
          without_losers.contact_type AS contact_type,
          without_losers.company_id AS company_id,
          without_losers.address AS address,
          without_losers.contact_created_at AS contact_created_at,
          without_losers.suppressed AS suppressed,
          without_losers.audiences AS audiences,
          without_losers.exit_filters AS exit_filters,
          without_losers.goals AS goals,
          without_losers.ordinal AS ordinal,
          without_losers.automation_id AS automation_id,
          without_losers.keeps_refusals AS keeps_refusals,
          without_losers.patience AS patience,
          without_losers.series_version AS series_version,
          without_losers.is_active AS is_active,
          without_losers.wants AS wants,
          without_losers.reenrolls AS reenrolls,
          without_losers.reenroll_delay AS reenroll_delay,
          without_losers.wants_new_match AS wants_new_match,
          without_losers.one_per_company AS one_per_company,
          without_losers.one_per_address AS one_per_address,
          without_losers.audience_holds AS audience_holds,
          without_losers.seat AS seat,
          without_losers.held_address AS held_address,
          without_losers.latest_id AS latest_id,
          without_losers.latest_number AS latest_number,
          without_losers.latest_at AS latest_at,
          without_losers.is_enrolled AS is_enrolled,
          CASE
              WHEN (without_losers.guard IS NULL
                    AND without_losers.seat IS NOT NULL
                    AND row_number() OVER (PARTITION BY without_losers.ordinal, without_losers.seat, without_losers.guard IS NULL
                                           ORDER BY without_losers.contact_created_at, without_losers.end_user_id, without_losers.ordinal) > 1::INTEGER) THEN 'company_already_enrolled'::VARCHAR
              ELSE without_losers.guard
          END AS guard
   FROM without_losers),
                                              addressed AS
  (SELECT seated.entered_at AS entered_at,
          seated.end_user_id AS end_user_id,
          seated.contact_type AS contact_type,
          seated.company_id AS company_id,
          seated.address AS address,
          seated.contact_created_at AS contact_created_at,
          seated.suppressed AS suppressed,
          seated.audiences AS audiences,
          seated.exit_filters AS exit_filters,
          seated.goals AS goals,
          seated.ordinal AS ordinal,
          seated.automation_id AS automation_id,
          seated.keeps_refusals AS keeps_refusals,
          seated.patience AS patience,
          seated.series_version AS series_version,
          seated.is_active AS is_active,
          seated.wants AS wants,
          seated.reenrolls AS reenrolls,
          seated.reenroll_delay AS reenroll_delay,
          seated.wants_new_match AS wants_new_match,
          seated.one_per_company AS one_per_company,
          seated.one_per_address AS one_per_address,
          seated.audience_holds AS audience_holds,
          seated.seat AS seat,
          seated.held_address AS held_address,
          seated.latest_id AS latest_id,
          seated.latest_number AS latest_number,
          seated.latest_at AS latest_at,
          seated.is_enrolled AS is_enrolled,
          CASE
              WHEN (seated.guard IS NULL
                    AND seated.held_address IS NOT NULL
                    AND row_number() OVER (PARTITION BY seated.ordinal, seated.held_address, seated.guard IS NULL
                                           ORDER BY seated.contact_created_at, seated.end_user_id, seated.ordinal) > 1::INTEGER) THEN 'address_already_enrolled'::VARCHAR
              ELSE seated.guard
          END AS guard
   FROM seated),
                                              verdicts AS
  (SELECT addressed.entered_at AS entered_at,
          addressed.end_user_id AS end_user_id,
          addressed.contact_type AS contact_type,
          addressed.company_id AS company_id,
          addressed.address AS address,
          addressed.contact_created_at AS contact_created_at,
          addressed.suppressed AS suppressed,
          addressed.audiences AS audiences,
          addressed.exit_filters AS exit_filters,
          addressed.goals AS goals,
          addressed.ordinal AS ordinal,
          addressed.automation_id AS automation_id,
          addressed.keeps_refusals AS keeps_refusals,
          addressed.patience AS patience,
          addressed.series_version AS series_version,
          addressed.is_active AS is_active,
          addressed.wants AS wants,
          addressed.reenrolls AS reenrolls,
          addressed.reenroll_delay AS reenroll_delay,
          addressed.wants_new_match AS wants_new_match,
          addressed.one_per_company AS one_per_company,
          addressed.one_per_address AS one_per_address,
          addressed.audience_holds AS audience_holds,
          addressed.seat AS seat,
          addressed.held_address AS held_address,
          addressed.latest_id AS latest_id,
          addressed.latest_number AS latest_number,
          addressed.latest_at AS latest_at,
          addressed.is_enrolled AS is_enrolled,
          addressed.guard AS guard,
          addressed.guard AS code
   FROM addressed),
                                              admitted AS
  (SELECT :org_id::UUID AS org_id,
          nextval('arrivals') AS id,
          verdicts.end_user_id AS end_user_id,
          verdicts.automation_id AS automation_id,
          coalesce(verdicts.latest_number, 0::INTEGER) + 1::INTEGER AS number,
          verdicts.seat AS seat,
          coalesce(verdicts.address, ''::VARCHAR) AS address,
          verdicts.held_address IS NOT NULL AS holds_address,
                                               verdicts.entered_at AS entered_at,
                                               verdicts.ordinal = ANY (verdicts.goals) AS goal_held,
                                                                      verdicts.series_version AS series_version
   FROM verdicts
   WHERE verdicts.code IS NULL
   ORDER BY verdicts.contact_created_at,
            verdicts.end_user_id,
            verdicts.ordinal),
                                              enrolled AS
  (INSERT INTO automation_enrollments (org_id, id, end_user_id, automation_id, number, company_seat, address, holds_address, created_at, goal_held, series_version) SELECT admitted.org_id AS org_id,
                                                                                                                                                                           admitted.id AS id,
                                                                                                                                                                           admitted.end_user_id AS end_user_id,
                                                                                                                                                                           admitted.automation_id AS automation_id,
                                                                                                                                                                           admitted.number AS number,
                                                                                                                                                                           admitted.seat AS seat,
                                                                                                                                                                           admitted.address AS address,
                                                                                                                                                                           admitted.holds_address AS holds_address,
                                                                                                                                                                           admitted.entered_at AS entered_at,
                                                                                                                                                                           admitted.goal_held AS goal_held,
                                                                                                                                                                           admitted.series_version AS series_version
   FROM admitted
   ORDER BY admitted.seat,
            admitted.id ON CONFLICT DO NOTHING RETURNING automation_enrollments.id,
                                                         automation_enrollments.end_user_id,
                                                         automation_enrollments.automation_id,
                                                         automation_enrollments.number,
                                                         automation_enrollments.created_at),
                                              cleared AS
  (DELETE
   FROM automation_recipients USING
     (SELECT found.id AS id
      FROM enrolled
      JOIN LATERAL
        (SELECT left_behind.id AS id
         FROM automation_recipients AS left_behind
         WHERE left_behind.org_id =
             (SELECT :org_id::UUID AS anon_8)
           AND left_behind.end_user_id = enrolled.end_user_id
           AND left_behind.automation_id = enrolled.automation_id
           AND (left_behind.status NOT IN ('pending',
                                           'processing'))
         LIMIT ALL
         OFFSET 0) AS found ON true
      WHERE enrolled.number > 1::INTEGER) AS earlier
   WHERE automation_recipients.org_id =
       (SELECT :org_id::UUID AS anon_9)
     AND automation_recipients.id = earlier.id RETURNING automation_recipients.automation_id,
                                                         automation_recipients.step_id,
                                                         automation_recipients.status,
                                                         automation_recipients.reason),
                                              counted AS
  (INSERT INTO cleared_recipients (org_id, automation_id, step_id, status, reason, recipients) SELECT :org_id::UUID AS anon_1,
                                                                                                      cleared.automation_id AS automation_id,
                                                                                                      cleared.step_id AS step_id,
                                                                                                      cleared.status AS status,
                                                                                                      CASE
                                                                                                          WHEN (cleared.status = 'skipped'::VARCHAR) THEN cleared.reason
                                                                                                      END AS reason,
                                                                                                      count(*) AS count_1
   FROM cleared
   WHERE cleared.status = 'skipped'::VARCHAR
     OR cleared.status = 'failed'::VARCHAR
     AND cleared.reason != 'outcome_unknown'::VARCHAR
   GROUP BY cleared.automation_id,
            cleared.step_id,
            cleared.status,
            CASE
                WHEN (cleared.status = 'skipped'::VARCHAR) THEN cleared.reason
            END),
                                              placed AS
  (INSERT INTO automation_recipients (org_id, automation_id, step_id, end_user_id, enrollment_number, scheduled_for, created_at) SELECT :org_id::UUID AS anon_10,
                                                                                                                                        enrolled.automation_id AS automation_id,
                                                                                                                                        anon_11.step_id AS step_id,
                                                                                                                                        enrolled.end_user_id AS end_user_id,
                                                                                                                                        enrolled.number AS number,
                                                                                                                                        CASE
                                                                                                                                            WHEN (done.rows >= 0::INTEGER) THEN enrolled.created_at + anon_11.delay
                                                                                                                                        END AS anon_12,
                                                                                                                                        enrolled.created_at AS created_at
   FROM enrolled
   JOIN unnest(:series_ids::UUID[], :waiting_step_ids::UUID[], '{"0 days 0 seconds"}'::INTERVAL[]) AS anon_11(automation_id, step_id, delay) ON enrolled.automation_id = anon_11.automation_id
   JOIN
     (SELECT count(*) AS rows
      FROM cleared) AS done ON true
   ORDER BY enrolled.id RETURNING automation_recipients.automation_id)
SELECT placed.automation_id,
       NULL AS code,
       count(*) AS contacts
FROM placed
GROUP BY placed.automation_id
UNION ALL
SELECT verdicts.automation_id,
       verdicts.code,
       count(*) AS count_2
FROM verdicts
WHERE verdicts.code IS NOT NULL
GROUP BY verdicts.automation_id,
         verdicts.code;
