-- list_properties
-- halo_engine/answers/reports/events.py
-- Parameters: org_id uuid
SELECT each.key AS property,
       mode() WITHIN GROUP (
                            ORDER BY jsonb_typeof(each.value)) AS type,
                           count(*) AS seen
FROM
  (SELECT latest.properties AS properties
   FROM
     (SELECT events.name AS name,
             events.properties AS properties
      FROM events
      WHERE events.org_id =
          (SELECT :org_id::UUID AS anon_1)
      ORDER BY events.id DESC
      LIMIT 10000::INTEGER) AS latest
   WHERE latest.name = 'trial_started'::VARCHAR
   LIMIT 100::INTEGER) AS sample
JOIN LATERAL jsonb_each(sample.properties) AS each(key, value) ON true
GROUP BY each.key
ORDER BY seen DESC,
         each.key
LIMIT 100::INTEGER;
