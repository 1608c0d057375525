-- read_orgs
-- halo_engine/organizations/storing.py
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
       organizations.id,
       organizations.key,
       organizations.widget_key,
       organizations.old_widget_key,
       organizations.old_stripe_endpoint_secret,
       organizations.created_at,
       organizations.reevaluated_at
FROM organizations
ORDER BY organizations.key;
