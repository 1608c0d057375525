-- sample_seen_values
-- halo_engine/answers/diagnose/seen_values.py
-- Parameters: org_id uuid

  (SELECT 0::INTEGER AS ordinal,
          CAST(counted_0.value AS JSONB) AS value,
          counted_0.contacts
   FROM
     (SELECT looked_at_0.value AS value,
             count(*) AS contacts
      FROM
        (SELECT to_jsonb(end_users.custom_fields -> 'tier'::VARCHAR) AS value
         FROM end_users
         WHERE end_users.org_id =
             (SELECT :org_id::UUID AS anon_1)
           AND (jsonb_typeof(end_users.custom_fields -> 'tier'::VARCHAR) != 'null') IS true
           AND NOT (EXISTS
                      (SELECT *
                       FROM suppressions
                       WHERE suppressions.org_id = end_users.org_id
                         AND suppressions.address = end_users.address))
         LIMIT 10000::INTEGER) AS looked_at_0
      GROUP BY looked_at_0.value
      ORDER BY contacts DESC,
               CAST(looked_at_0.value AS TEXT)
      LIMIT 200::INTEGER) AS counted_0
   ORDER BY counted_0.contacts DESC,
            CAST(counted_0.value AS TEXT))
UNION ALL
  (SELECT 1::INTEGER AS ordinal,
          CAST(counted_1.value AS JSONB) AS value,
          counted_1.contacts
   FROM
     (SELECT looked_at_1.value AS value,
             count(*) AS contacts
      FROM
        (SELECT to_jsonb(end_users.created_at) AS value
         FROM end_users
         WHERE end_users.org_id =
             (SELECT :org_id::UUID AS anon_2)
           AND end_users.created_at IS NOT NULL
           AND NOT (EXISTS
                      (SELECT *
                       FROM suppressions
                       WHERE suppressions.org_id = end_users.org_id
                         AND suppressions.address = end_users.address))
         LIMIT 10000::INTEGER) AS looked_at_1
      GROUP BY looked_at_1.value
      ORDER BY contacts DESC,
               CAST(looked_at_1.value AS TEXT)
      LIMIT 200::INTEGER) AS counted_1
   ORDER BY counted_1.contacts DESC,
            CAST(counted_1.value AS TEXT));
