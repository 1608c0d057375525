-- note_endpoint_kinds
-- halo_engine/webhooks/endpoints.py
-- Parameters: org_id uuid
UPDATE organizations
SET webhook_kinds=array(
                          (SELECT each.kind
                           FROM
                             (SELECT DISTINCT unnest(coalesce(webhook_endpoints.kinds, ARRAY['contact.entered'::VARCHAR, 'contact.refused'::VARCHAR, 'step.done'::VARCHAR, 'mail.sent'::VARCHAR, 'mail.failed'::VARCHAR, 'mail.opened'::VARCHAR, 'mail.clicked'::VARCHAR, 'mail.replied'::VARCHAR, 'contact.converted'::VARCHAR, 'contact.exited'::VARCHAR])) AS kind
                              FROM webhook_endpoints
                              WHERE webhook_endpoints.org_id =
                                  (SELECT :org_id::UUID AS anon_1)) AS each
                           ORDER BY each.kind))
WHERE organizations.id = :org_id::UUID;
