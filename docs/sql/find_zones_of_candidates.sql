-- find_zones_of_candidates
-- halo_engine/enrollment/first_openings.py
-- Parameters: contact_ids uuid[], org_id uuid
SELECT DISTINCT left(end_users.custom_fields ->> 'timezone'::TEXT, 64::INTEGER) AS zone
FROM end_users
WHERE end_users.id = ANY (:contact_ids::UUID[])
  AND end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND left((end_users.custom_fields ->> 'timezone'::TEXT), 64::INTEGER) IS NOT NULL;
