-- rehearsal_create_org
-- halo_engine/rehearsal/sandbox.py
-- Parameters: org_key text, now timestamp with time zone
INSERT INTO organizations (key, name, widget_key, identity_secret, timezone, mrr_mode, stripe_connected, verified_domain, company_footer, reevaluate_cron, quiet_hours, frequency_caps, reevaluated_at, created_at)
VALUES (:org_key::VARCHAR, 'Welcome'::VARCHAR, :org_key::VARCHAR, NULL::VARCHAR, 'UTC'::VARCHAR, 'manual'::VARCHAR, false, true, 'Acme Inc, 1 Main St'::VARCHAR, '*/15 * * * *'::VARCHAR, NULL::JSONB, NULL::JSONB, :now::TIMESTAMP WITH TIME ZONE, :now::TIMESTAMP WITH TIME ZONE) RETURNING organizations.id;
