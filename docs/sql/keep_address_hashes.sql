-- keep_address_hashes
-- halo_engine/contacts/consent/address_hashes.py
-- Parameters: org_id uuid, instants timestamp with time zone[]
INSERT INTO erased_suppressions (org_id, address_hash, bounced_at, unsubscribed_at, complained_at)
SELECT :org_id::UUID AS anon_1,
       anon_2.address_hash,
       anon_2.bounced_at,
       anon_2.unsubscribed_at,
       anon_2.complained_at
FROM unnest('{"\\xb0c2a7fa9a79d808e5c71118df2e71652b62df9ea1395fa51c2a37d1121efb1a"}'::BYTEA[], :instants::TIMESTAMP WITH TIME ZONE[], '{NULL}'::TIMESTAMP WITH TIME ZONE[], '{NULL}'::TIMESTAMP WITH TIME ZONE[]) AS anon_2(address_hash, bounced_at, unsubscribed_at, complained_at)
ORDER BY anon_2.address_hash ON CONFLICT (org_id,
                                          address_hash) DO
UPDATE
SET bounced_at = coalesce(erased_suppressions.bounced_at, excluded.bounced_at),
    unsubscribed_at = coalesce(erased_suppressions.unsubscribed_at, excluded.unsubscribed_at),
    complained_at = coalesce(erased_suppressions.complained_at, excluded.complained_at);
