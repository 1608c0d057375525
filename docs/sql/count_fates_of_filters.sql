-- count_fates_of_filters
-- Build the statement: one scan over all contacts, then counts per combination of results
-- halo_engine/answers/diagnose/counts.py
-- Parameters: org_id uuid
SELECT CAST(coalesce(sum(alike.contacts) FILTER (
                                                 WHERE true), 0) AS BIGINT) AS contacts,
       CAST(coalesce(sum(alike.contacts) FILTER (
                                                 WHERE alike.results_0 & 3 = 1
                                                   AND alike.results_0 & 12 != 4), 0) AS BIGINT) AS eligible,
       CAST(coalesce(sum(alike.contacts) FILTER (
                                                 WHERE alike.results_0 & 3 = 1
                                                   AND alike.results_0 & 12 != 4
                                                   AND alike.results_0 & 48 = 16
                                                   AND alike.results_0 & 192 = 64), 0) AS BIGINT) AS matched,
       CAST(coalesce(sum(alike.contacts) FILTER (
                                                 WHERE alike.results_0 & 48 = 16
                                                   AND alike.results_0 & 192 = 64), 0) AS BIGINT) AS in_audience,
       CAST(coalesce(sum(alike.contacts) FILTER (
                                                 WHERE alike.results_0 & 48 = 16
                                                   AND alike.results_0 & 192 = 64
                                                   AND alike.results_0 & 3 != 1
                                                   AND alike.results_0 & 12 != 4), 0) AS BIGINT) AS other_type,
       CAST(coalesce(sum(alike.contacts) FILTER (
                                                 WHERE alike.results_0 & 48 = 16
                                                   AND alike.results_0 & 192 = 64
                                                   AND alike.results_0 & 3 = 1
                                                   AND alike.results_0 & 12 = 4), 0) AS BIGINT) AS suppressed,

  (SELECT subscriptions.key
   FROM subscriptions
   WHERE subscriptions.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND subscriptions.id IS NULL) AS list_key,
       CAST(ARRAY[CAST(coalesce(sum(alike.contacts) FILTER (
                                                            WHERE alike.results_0 & 3 = 1
                                                              AND alike.results_0 & 12 != 4
                                                              AND alike.results_0 & 48 = 16), 0) AS BIGINT), CAST(coalesce(sum(alike.contacts) FILTER (
                                                                                                                                                       WHERE alike.results_0 & 3 = 1
                                                                                                                                                         AND alike.results_0 & 12 != 4
                                                                                                                                                         AND alike.results_0 & 192 = 64), 0) AS BIGINT)] AS BIGINT[]) AS passing,
       CAST(ARRAY[CAST(coalesce(sum(alike.contacts) FILTER (
                                                            WHERE alike.results_0 & 3 = 1
                                                              AND alike.results_0 & 12 != 4
                                                              AND alike.results_0 & 192 = 64), 0) AS BIGINT), CAST(coalesce(sum(alike.contacts) FILTER (
                                                                                                                                                        WHERE alike.results_0 & 3 = 1
                                                                                                                                                          AND alike.results_0 & 12 != 4
                                                                                                                                                          AND alike.results_0 & 48 = 16), 0) AS BIGINT)] AS BIGINT[]) AS without,
       CAST(ARRAY[CAST(coalesce(sum(alike.contacts) FILTER (
                                                            WHERE alike.results_0 & 3 = 1
                                                              AND alike.results_0 & 12 != 4
                                                              AND alike.results_0 & 48 = 0), 0) AS BIGINT), CAST(coalesce(sum(alike.contacts) FILTER (
                                                                                                                                                      WHERE alike.results_0 & 3 = 1
                                                                                                                                                        AND alike.results_0 & 12 != 4
                                                                                                                                                        AND alike.results_0 & 192 = 0), 0) AS BIGINT)] AS BIGINT[]) AS absent,
       CAST(ARRAY[CAST(coalesce(sum(alike.contacts) FILTER (
                                                            WHERE alike.results_0 & 3 = 1
                                                              AND alike.results_0 & 12 != 4
                                                              AND alike.results_0 & 48 = 48), 0) AS BIGINT), CAST(coalesce(sum(alike.contacts) FILTER (
                                                                                                                                                       WHERE alike.results_0 & 3 = 1
                                                                                                                                                         AND alike.results_0 & 12 != 4
                                                                                                                                                         AND alike.results_0 & 192 = 192), 0) AS BIGINT)] AS BIGINT[]) AS other_type_of,
       CAST(ARRAY[] AS BIGINT[]) AS would_pass,
       CAST(ARRAY[] AS BIGINT[]) AS "having"
FROM
  (SELECT anon_2.results_0 AS results_0,
          count(*) AS contacts
   FROM
     (SELECT CASE
                 WHEN true THEN 1
                 ELSE 0
             END + CASE
                       WHEN (suppression.address IS NOT NULL) THEN 4
                       ELSE 0
                   END + CASE
                             WHEN ((unpacked_end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH) IS true) THEN 16
                             WHEN (jsonb_typeof(unpacked_end_users.custom_fields -> 'tier'::VARCHAR) IS NOT DISTINCT
                                   FROM 'number') THEN 32
                             WHEN ((jsonb_typeof(unpacked_end_users.custom_fields -> 'tier'::VARCHAR) != 'null') IS true) THEN 48
                             ELSE 0
                         END + CASE
                                   WHEN ((unpacked_end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true) THEN 64
                                   WHEN ((unpacked_end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS NOT NULL) THEN 128
                                   ELSE 0
                               END AS results_0
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
             (SELECT :org_id::UUID AS anon_3)
         LIMIT ALL
         OFFSET '0') AS unpacked_end_users
      LEFT OUTER JOIN suppressions AS suppression ON suppression.org_id =
        (SELECT :org_id::UUID AS anon_3)
      AND suppression.address = unpacked_end_users.address
      LIMIT ALL
      OFFSET '0') AS anon_2
   GROUP BY anon_2.results_0) AS alike;
