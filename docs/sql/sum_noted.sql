-- sum_noted
-- halo_engine/moving/rows.py
SELECT count(*),
       coalesce(sum(CAST(hash AS numeric)), 0)
FROM
  (SELECT hash_record_extended(ROW(row.org_id, row.id, row.external_id, row.contact_type, row.source, row.email, row.address, row.name, row.signed_up_at, row.renewal_date, row.renewal_status, row.contract_term, row.payment_terms, row.on_contract, row.mrr, row.arr, row.custom_fields, row.field_times, row.context, row.company_id, row.stripe_subscription_status, row.stripe_plan, row.stripe_trial_end, row.stripe_current_period_end, row.stripe_cancel_at_period_end, row.stripe_customer_id, row.stripe_subscription_id, row.stripe_said_at, row.created_at, row.updated_at, row.first_seen, row.last_seen, row.last_contacted_at), 0) AS hash
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
        OFFSET 0) AS row) AS rows;
