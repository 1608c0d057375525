-- match_contacts
-- Return the statement that finds, for each person, contacts by external ID and by address
-- halo_engine/contacts/writing/matching.py
-- Parameters: given_rows jsonb, org_id uuid
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.external_id AS external_id,
          given.email AS email
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, external_id TEXT, email TEXT)),
     found AS
  (SELECT given.ordinal AS ordinal,
          lower(given.email) AS given_address,
          anon_1.id AS known_id,
          anon_2.id AS namesake_id
   FROM given
   LEFT OUTER JOIN LATERAL
     (SELECT known.id AS id
      FROM end_users AS known
      WHERE known.org_id =
          (SELECT :org_id::UUID AS anon_3)
        AND known.external_id = given.external_id
      LIMIT 1) AS anon_1 ON true
   LEFT OUTER JOIN LATERAL
     (SELECT namesake.id AS id
      FROM end_users AS namesake
      WHERE namesake.org_id =
          (SELECT :org_id::UUID AS anon_3)
        AND namesake.address = lower(given.email)
        AND (given.external_id IS NULL
             OR namesake.external_id IS NULL)
      ORDER BY namesake.created_at,
               namesake.id
      LIMIT 1) AS anon_2 ON true), locked AS
  (SELECT lock.id AS id,
          lock.external_id AS external_id,
          lock.address AS address,
          lock.created_at AS created_at
   FROM
     (SELECT ids.id AS id
      FROM
        (SELECT found.known_id AS id
         FROM found
         UNION SELECT found.namesake_id AS namesake_id
         FROM found) AS ids
      ORDER BY ids.id) AS ids_in_order
   JOIN LATERAL
     (SELECT stored.id AS id,
             stored.external_id AS external_id,
             stored.address AS address,
             stored.created_at AS created_at
      FROM end_users AS stored
      WHERE stored.org_id =
          (SELECT :org_id::UUID AS anon_3)
        AND stored.id = ids_in_order.id
        FOR
        UPDATE) AS lock ON true)
SELECT found.given_address,
       found.namesake_id,
       mine.id AS by_id_id,
       mine.external_id AS by_id_external_id,
       mine.address AS by_id_address,
       mine.created_at AS by_id_created_at,
       theirs.id AS by_address_id,
       theirs.external_id AS by_address_external_id,
       theirs.address AS by_address_address,
       theirs.created_at AS by_address_created_at
FROM found
LEFT OUTER JOIN locked AS mine ON mine.id = found.known_id
LEFT OUTER JOIN locked AS theirs ON theirs.id = found.namesake_id
ORDER BY found.ordinal;
