-- copy_noted_out
-- Read the rows of a table that were noted
-- halo_engine/moving/rows.py
COPY
  (SELECT org_id,
          id,
          external_id,
          source,
          email,
          name,
          signed_up_at,
          renewal_date,
          renewal_status,
          contract_term,
          payment_terms,
          on_contract,
          mrr,
          arr,
          custom_fields,
          field_times,
          context,
          company_id,
          stripe_subscription_status,
          stripe_plan,
          stripe_trial_end,
          stripe_current_period_end,
          stripe_cancel_at_period_end,
          stripe_customer_id,
          stripe_subscription_id,
          stripe_said_at,
          created_at,
          updated_at,
          first_seen,
          last_seen,
          last_contacted_at
   FROM
     (SELECT DISTINCT key
      FROM moved_rows
      WHERE org_id = '5a000000-0000-0000-0000-000000000001'
        AND table_name = 'end_users') AS noted
   CROSS JOIN LATERAL
     (SELECT *
      FROM end_users
      WHERE end_users.org_id = '5a000000-0000-0000-0000-000000000001'
        AND end_users.id = CAST(noted.key ->> 'id' AS UUID)
        OFFSET 0) AS row) TO STDOUT (FORMAT binary);
