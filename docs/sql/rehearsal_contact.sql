-- rehearsal_contact
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid, contact_id uuid
SELECT end_users.org_id,
       end_users.id,
       end_users.external_id,
       end_users.contact_type,
       end_users.source,
       end_users.email,
       end_users.address,
       end_users.name,
       end_users.signed_up_at,
       end_users.renewal_date,
       end_users.renewal_status,
       end_users.contract_term,
       end_users.payment_terms,
       end_users.on_contract,
       end_users.mrr,
       end_users.arr,
       end_users.custom_fields,
       end_users.field_times,
       end_users.context,
       end_users.company_id,
       end_users.stripe_subscription_status,
       end_users.stripe_plan,
       end_users.stripe_trial_end,
       end_users.stripe_current_period_end,
       end_users.stripe_cancel_at_period_end,
       end_users.stripe_customer_id,
       end_users.stripe_subscription_id,
       end_users.stripe_said_at,
       end_users.created_at,
       end_users.updated_at,
       end_users.first_seen,
       end_users.last_seen,
       end_users.last_contacted_at
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND end_users.id = :contact_id::UUID;
