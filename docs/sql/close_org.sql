-- close_org
-- halo_engine/contacts/erasure/organizations.py
-- Parameters: widget_key text, mail_key bytea, org_id uuid
UPDATE organizations
SET widget_key=:widget_key::VARCHAR,
    old_widget_key=NULL::VARCHAR,
    identity_secret=NULL::VARCHAR,
    mail_key=:mail_key,
    stripe_endpoint_secret=NULL::VARCHAR,
    old_stripe_endpoint_secret=NULL::VARCHAR
WHERE organizations.id = :org_id::UUID;
