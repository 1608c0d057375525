-- lock_addresses_at_entry
-- halo_engine/enrollment/namesakes.py
-- Parameters: contact_ids uuid[], org_id uuid
WITH keys AS
  (SELECT DISTINCT abs(hashtext(concat(CAST(found.org_id AS TEXT), found.address)) % 64::INTEGER) AS key
   FROM
     (SELECT end_users.address AS address,
             end_users.org_id AS org_id
      FROM end_users
      WHERE end_users.id = ANY (:contact_ids::UUID[])
        AND end_users.org_id =
          (SELECT :org_id::UUID AS anon_1)) AS found
   WHERE found.address IS NOT NULL
   ORDER BY key)
SELECT count(CAST(pg_advisory_xact_lock(6::INTEGER, keys.key) AS TEXT)) AS count_1
FROM keys;
