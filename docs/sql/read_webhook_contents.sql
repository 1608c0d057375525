-- read_webhook_contents
-- halo_engine/webhooks/messages.py
-- Parameters: org_id uuid
SELECT webhook_events.id AS event_id,
       webhook_events.kind,
       webhook_events.at,
       webhook_events.enrollment_number,
       webhook_events.reason,
       end_users.id AS contact,
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
       end_users.last_contacted_at,
       automations.key AS series,
       automation_steps.key AS step,
       messages.message_id
FROM webhook_events
LEFT OUTER JOIN end_users ON end_users.org_id = webhook_events.org_id
AND end_users.id = webhook_events.end_user_id
LEFT OUTER JOIN automations ON automations.org_id = webhook_events.org_id
AND automations.id = webhook_events.automation_id
LEFT OUTER JOIN automation_steps ON automation_steps.org_id = webhook_events.org_id
AND automation_steps.id = webhook_events.step_id
LEFT OUTER JOIN messages ON messages.org_id = webhook_events.org_id
AND messages.recipient_id = webhook_events.recipient_id
WHERE webhook_events.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND webhook_events.id IN (7016::BIGINT);
