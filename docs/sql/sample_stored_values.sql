-- sample_stored_values
-- Build the statement: rows of ``kind``, ``name``, ``value`` and the number of ``contacts``
-- halo_engine/answers/reports/stored.py
-- Parameters: org_id uuid
WITH looked_at AS
  (SELECT jsonb_build_object('email'::VARCHAR, end_users.email, 'name'::VARCHAR, end_users.name, 'external_id'::VARCHAR, end_users.external_id, 'contact_type'::VARCHAR, end_users.contact_type, 'source'::VARCHAR, end_users.source, 'signed_up_at'::VARCHAR, end_users.signed_up_at, 'created_at'::VARCHAR, end_users.created_at, 'first_seen'::VARCHAR, end_users.first_seen, 'last_seen'::VARCHAR, end_users.last_seen, 'last_contacted_at'::VARCHAR, end_users.last_contacted_at, 'mrr'::VARCHAR, end_users.mrr, 'arr'::VARCHAR, end_users.arr, 'renewal_status'::VARCHAR, end_users.renewal_status, 'renewal_date'::VARCHAR, end_users.renewal_date, 'contract_term'::VARCHAR, end_users.contract_term, 'payment_terms'::VARCHAR, end_users.payment_terms, 'on_contract'::VARCHAR, end_users.on_contract, 'stripe:subscription_status'::VARCHAR, end_users.stripe_subscription_status, 'stripe:plan'::VARCHAR, end_users.stripe_plan, 'stripe:trial_end'::VARCHAR, end_users.stripe_trial_end, 'stripe:current_period_end'::VARCHAR, end_users.stripe_current_period_end, 'stripe:cancel_at_period_end'::VARCHAR, end_users.stripe_cancel_at_period_end) AS columns,
          end_users.custom_fields AS custom,
          CASE
              WHEN (companies.id IS NOT NULL) THEN jsonb_build_object('company.name'::VARCHAR, companies.name, 'company.external_id'::VARCHAR, companies.external_id, 'company.signed_up_at'::VARCHAR, companies.signed_up_at, 'company.created_at'::VARCHAR, companies.created_at, 'company.mrr'::VARCHAR, companies.mrr, 'company.arr'::VARCHAR, companies.arr, 'company.renewal_status'::VARCHAR, companies.renewal_status, 'company.renewal_date'::VARCHAR, companies.renewal_date, 'company.contract_term'::VARCHAR, companies.contract_term, 'company.payment_terms'::VARCHAR, companies.payment_terms, 'company.on_contract'::VARCHAR, companies.on_contract)
          END AS company_columns,
          companies.custom_fields AS company_custom
   FROM
     (SELECT end_users.id AS id
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_2)
      ORDER BY end_users.created_at DESC,
               end_users.id DESC
      LIMIT 5000::INTEGER) AS newest
   JOIN end_users ON end_users.org_id =
     (SELECT :org_id::UUID AS anon_3)
   AND end_users.id = newest.id
   LEFT OUTER JOIN companies ON companies.org_id = end_users.org_id
   AND companies.id = end_users.company_id),
     stored AS
  (SELECT ''::VARCHAR || pair_of_columns.key AS name,
          pair_of_columns.value AS value
   FROM looked_at
   JOIN jsonb_each(looked_at.columns) AS pair_of_columns ON true
   UNION ALL SELECT 'custom:'::VARCHAR || pair_of_custom.key AS name,
                    pair_of_custom.value AS value
   FROM looked_at
   JOIN jsonb_each(looked_at.custom) AS pair_of_custom ON true
   UNION ALL SELECT ''::VARCHAR || pair_of_company_columns.key AS name,
                    pair_of_company_columns.value AS value
   FROM looked_at
   JOIN jsonb_each(looked_at.company_columns) AS pair_of_company_columns ON true
   UNION ALL SELECT 'company.custom:'::VARCHAR || pair_of_company_custom.key AS name,
                    pair_of_company_custom.value AS value
   FROM looked_at
   JOIN jsonb_each(looked_at.company_custom) AS pair_of_company_custom ON true),
     counted AS
  (SELECT stored.name AS name,
          jsonb_typeof(stored.value) AS type,
          CASE
              WHEN ((stored.name NOT IN ('company.created_at'::VARCHAR,
                                         'company.external_id'::VARCHAR,
                                         'company.name'::VARCHAR,
                                         'company.renewal_date'::VARCHAR,
                                         'company.signed_up_at'::VARCHAR,
                                         'created_at'::VARCHAR,
                                         'email'::VARCHAR,
                                         'external_id'::VARCHAR,
                                         'first_seen'::VARCHAR,
                                         'last_contacted_at'::VARCHAR,
                                         'last_seen'::VARCHAR,
                                         'name'::VARCHAR,
                                         'renewal_date'::VARCHAR,
                                         'signed_up_at'::VARCHAR,
                                         'stripe:current_period_end'::VARCHAR,
                                         'stripe:trial_end'::VARCHAR))
                    AND jsonb_typeof(stored.value) IN ('string'::VARCHAR,
                                                       'number'::VARCHAR,
                                                       'boolean'::VARCHAR)
                    AND length(CAST(stored.value AS TEXT)) <= 200::INTEGER) THEN stored.value
              ELSE NULL
          END AS value,
          count(*) AS contacts
   FROM stored
   WHERE jsonb_typeof(stored.value) != 'null'
   GROUP BY stored.name,
            2,
            3)
SELECT answers.kind,
       answers.name,
       CAST(answers.value AS JSONB) AS value,
       answers.contacts
FROM
  (SELECT 'contacts' AS kind,
          '' AS name,
          'null'::jsonb AS value,

     (SELECT count(*) AS count_1
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_1)) AS contacts,
          0 AS rank
   UNION ALL SELECT 'type',
                    counted.name AS name,
                    to_jsonb(counted.type) AS to_jsonb_1,
                    sum(counted.contacts) AS sum_1,
                    0
   FROM counted
   GROUP BY counted.name,
            counted.type
   UNION ALL SELECT 'value',
                    ranked.name AS name,
                    ranked.value AS value,
                    ranked.contacts AS contacts,
                    ranked.rank AS rank
   FROM
     (SELECT counted.name AS name,
             counted.type AS type,
             counted.value AS value,
             counted.contacts AS contacts,
             row_number() OVER (PARTITION BY counted.name
                                ORDER BY counted.contacts DESC, CAST(counted.value AS TEXT)) AS rank
      FROM counted
      WHERE counted.value IS NOT NULL) AS ranked
   WHERE ranked.rank <= 20::INTEGER) AS answers
ORDER BY answers.name,
         answers.rank;
