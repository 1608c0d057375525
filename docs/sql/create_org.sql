-- create_org
-- halo_engine/organizations/storing.py
-- Parameters: org_key text, widget_key text
INSERT INTO organizations (key, name, widget_key, identity_secret, timezone, mrr_mode, stripe_connected, stripe_endpoint_secret, verified_domain, company_footer, mail_from_name, mail_from_address, mail_reply_to, mail_bounce_domain, reevaluate_cron, quiet_hours, frequency_caps, keeps, reevaluated_at, created_at)
VALUES (:org_key::VARCHAR, :org_key::VARCHAR, :widget_key::VARCHAR, NULL::VARCHAR, 'UTC'::VARCHAR, 'manual'::VARCHAR, false, NULL::VARCHAR, false, NULL::VARCHAR, NULL::VARCHAR, NULL::VARCHAR, NULL::VARCHAR, NULL::VARCHAR, '*/15 * * * *'::VARCHAR, NULL::JSONB, NULL::JSONB, '{}'::JSONB, now(), now()) ON CONFLICT (key) DO NOTHING RETURNING organizations.id;
