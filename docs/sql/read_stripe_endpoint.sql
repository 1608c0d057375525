-- read_stripe_endpoint
-- halo_engine/organizations/stripe_endpoint.py
-- Parameters: org_key text
SELECT organizations.id,
       organizations.stripe_endpoint_secret,
       organizations.old_stripe_endpoint_secret
FROM organizations
WHERE organizations.key = :org_key::VARCHAR;
