-- sample_zone_names
-- halo_engine/answers/reports/zone_names.py
-- Parameters: org_id uuid
SELECT newest.zone,
       count(*) AS contacts
FROM
  (SELECT left(end_users.custom_fields ->> 'timezone'::TEXT, 64::INTEGER) AS zone
   FROM end_users
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
   ORDER BY end_users.created_at DESC,
            end_users.id DESC
   LIMIT 5000::INTEGER) AS newest
WHERE newest.zone IS NOT NULL
GROUP BY newest.zone;
