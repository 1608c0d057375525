-- lock_addresses
-- halo_engine/contacts/writing/address_locks.py
-- Parameters: given_rows jsonb
WITH given AS
  (SELECT given.org_id AS org_id,
          given.address AS address
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(org_id UUID, address TEXT)),
     keys AS
  (SELECT DISTINCT hashtext(concat(CAST(given.org_id AS TEXT), lower(given.address))) AS key
   FROM given
   ORDER BY key)
SELECT count(CAST(pg_advisory_xact_lock(3::INTEGER, keys.key) AS TEXT)) AS count_1
FROM keys;
