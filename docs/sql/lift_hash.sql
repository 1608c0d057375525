-- lift_hash
-- halo_engine/contacts/consent/unsuppress.py
-- Parameters: org_id uuid, address_hash bytea
DELETE
FROM erased_suppressions
WHERE erased_suppressions.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND erased_suppressions.address_hash = :address_hash RETURNING erased_suppressions.bounced_at,
                                                                 erased_suppressions.unsubscribed_at,
                                                                 erased_suppressions.complained_at;
