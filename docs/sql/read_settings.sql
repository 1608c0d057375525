-- read_settings
-- halo_engine/organizations/storing.py
-- Parameters: org_id uuid
SELECT organizations.name,
       organizations.timezone,
       organizations.identity_secret,
       organizations.mrr_mode,
       organizations.stripe_connected,
       organizations.stripe_endpoint_secret,
       organizations.verified_domain,
       organizations.company_footer,
       organizations.mail_from_name,
       organizations.mail_from_address,
       organizations.mail_reply_to,
       organizations.mail_bounce_domain,
       organizations.quiet_hours,
       organizations.frequency_caps,
       organizations.reevaluate_cron,
       organizations.keeps,
       organizations.widget_key,
       organizations.old_widget_key,
       organizations.old_stripe_endpoint_secret
FROM organizations
WHERE organizations.id = :org_id::UUID;
