-- sum_table
-- halo_engine/moving/rows.py
SELECT count(*),
       coalesce(sum(CAST(hash_record_extended(ROW(org_id, id, external_id, contact_type, source, email, address, name, signed_up_at, renewal_date, renewal_status, contract_term, payment_terms, on_contract, mrr, arr, custom_fields, field_times, context, company_id, stripe_subscription_status, stripe_plan, stripe_trial_end, stripe_current_period_end, stripe_cancel_at_period_end, stripe_customer_id, stripe_subscription_id, stripe_said_at, created_at, updated_at, first_seen, last_seen, last_contacted_at), 0) AS numeric)), 0)
FROM end_users
WHERE org_id = '5a000000-0000-0000-0000-000000000001';
