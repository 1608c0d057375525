-- lift_suppression
-- halo_engine/contacts/consent/unsuppress.py
-- Parameters: org_id uuid, address text
DELETE
FROM suppressions
WHERE suppressions.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND suppressions.address = :address::VARCHAR RETURNING suppressions.bounced_at,
                                                         suppressions.unsubscribed_at,
                                                         suppressions.complained_at;
