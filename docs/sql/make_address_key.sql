-- make_address_key
-- halo_engine/contacts/consent/address_hashes.py
-- Parameters: address_key bytea, org_id uuid
UPDATE organizations
SET address_key=coalesce(organizations.address_key, :address_key)
WHERE organizations.id = :org_id::UUID RETURNING organizations.address_key;
