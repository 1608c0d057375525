-- match_customers
-- Return the statement that finds, for each customer, up to three contacts, and locks them
-- halo_engine/contacts/stripe/customer_lookup.py
-- Parameters: given_rows jsonb, org_id uuid
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.customer AS customer,
          given.external_id AS external_id,
          given.email AS email
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, customer TEXT, external_id TEXT, email TEXT)),
     candidates AS
  (SELECT given.ordinal AS ordinal,
          anon_1.id AS id,
          'stripe_customer_id'::VARCHAR AS found_by
   FROM given
   JOIN LATERAL
     (SELECT by_stripe_customer_id.id AS id
      FROM end_users AS by_stripe_customer_id
      WHERE by_stripe_customer_id.org_id =
          (SELECT :org_id::UUID AS anon_2)
        AND by_stripe_customer_id.stripe_customer_id = given.customer
      ORDER BY by_stripe_customer_id.created_at,
               by_stripe_customer_id.id
      LIMIT 1) AS anon_1 ON true
   UNION ALL SELECT given.ordinal AS ordinal,
                    anon_3.id AS id,
                    'external_id'::VARCHAR AS found_by
   FROM given
   JOIN LATERAL
     (SELECT by_external_id.id AS id
      FROM end_users AS by_external_id
      WHERE by_external_id.org_id =
          (SELECT :org_id::UUID AS anon_2)
        AND by_external_id.external_id = given.external_id
      ORDER BY by_external_id.created_at,
               by_external_id.id
      LIMIT 1) AS anon_3 ON true
   UNION ALL SELECT given.ordinal AS ordinal,
                    anon_4.id AS id,
                    'address'::VARCHAR AS found_by
   FROM given
   JOIN LATERAL
     (SELECT by_address.id AS id
      FROM end_users AS by_address
      WHERE by_address.org_id =
          (SELECT :org_id::UUID AS anon_2)
        AND by_address.address = lower(given.email)
      ORDER BY by_address.created_at,
               by_address.id
      LIMIT 1) AS anon_4 ON true),
     locked AS
  (SELECT lock.id AS id,
          lock.external_id AS external_id,
          lock.source AS source,
          lock.address AS address,
          lock.created_at AS created_at,
          lock.stripe_subscription_status AS stripe_subscription_status,
          lock.stripe_plan AS stripe_plan,
          lock.stripe_trial_end AS stripe_trial_end,
          lock.stripe_current_period_end AS stripe_current_period_end,
          lock.stripe_cancel_at_period_end AS stripe_cancel_at_period_end,
          lock.stripe_customer_id AS stripe_customer_id,
          lock.stripe_subscription_id AS stripe_subscription_id,
          lock.stripe_said_at AS stripe_said_at
   FROM
     (SELECT ids.id AS id
      FROM
        (SELECT DISTINCT candidates.id AS id
         FROM candidates) AS ids
      ORDER BY ids.id) AS ids_in_order
   JOIN LATERAL
     (SELECT stored.id AS id,
             stored.external_id AS external_id,
             stored.source AS source,
             stored.address AS address,
             stored.created_at AS created_at,
             stored.stripe_subscription_status AS stripe_subscription_status,
             stored.stripe_plan AS stripe_plan,
             stored.stripe_trial_end AS stripe_trial_end,
             stored.stripe_current_period_end AS stripe_current_period_end,
             stored.stripe_cancel_at_period_end AS stripe_cancel_at_period_end,
             stored.stripe_customer_id AS stripe_customer_id,
             stored.stripe_subscription_id AS stripe_subscription_id,
             stored.stripe_said_at AS stripe_said_at
      FROM end_users AS stored
      WHERE stored.org_id =
          (SELECT :org_id::UUID AS anon_2)
        AND stored.id = ids_in_order.id
        FOR
        UPDATE) AS lock ON true)
SELECT given.ordinal,
       lower(given.email) AS given_address,
       candidates.found_by,
       locked.id,
       locked.external_id,
       locked.source,
       locked.address,
       locked.created_at,
       locked.stripe_subscription_status,
       locked.stripe_plan,
       locked.stripe_trial_end,
       locked.stripe_current_period_end,
       locked.stripe_cancel_at_period_end,
       locked.stripe_customer_id,
       locked.stripe_subscription_id,
       locked.stripe_said_at
FROM given
LEFT OUTER JOIN candidates ON candidates.ordinal = given.ordinal
LEFT OUTER JOIN locked ON locked.id = candidates.id
ORDER BY given.ordinal;
