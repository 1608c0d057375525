-- read_org
-- halo_engine/opening.py
-- Parameters: org_id uuid
SELECT organizations.id,
       organizations.key,
       organizations.name,
       organizations.timezone,
       organizations.identity_secret,
       organizations.mrr_mode,
       organizations.stripe_connected,
       organizations.verified_domain,
       organizations.company_footer,
       organizations.mail_from_name,
       organizations.mail_from_address,
       organizations.mail_reply_to,
       organizations.mail_bounce_domain,
       organizations.reevaluate_cron,
       organizations.reevaluated_at,
       organizations.passes_are_quick,
       organizations.passed_fully_at,
       organizations.quiet_hours,
       organizations.frequency_caps,
       organizations.keeps,
       organizations.address_key,
       organizations.mail_key,
       organizations.webhook_kinds,
       organizations.announced_series,
       organizations.has_default_lists,
       organizations.asks_to_confirm,
       CAST(CAST(organizations.xmin AS TEXT) AS BIGINT) AS version,
       organizations.sending_stopped_at IS NOT NULL
OR (EXISTS
      (SELECT *
       FROM installation
       WHERE installation.sending_stopped_at IS NOT NULL)) AS sending_stopped,
   clock_timestamp() AS clock
FROM organizations
WHERE organizations.id =
    (SELECT :org_id::UUID AS anon_1);
