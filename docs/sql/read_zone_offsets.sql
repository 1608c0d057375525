-- read_zone_offsets
-- workers/command/zones.py
-- Parameters: names, times
SELECT z.name,
       array_agg(extract(epoch
                         FROM (t AT TIME ZONE z.name) - (t AT TIME ZONE 'UTC'))::int
                 ORDER BY t)
FROM unnest(CAST(:names AS text[])) AS z(name),
     unnest(CAST(:times AS timestamptz[])) AS t
WHERE z.name IN
    (SELECT name
     FROM pg_timezone_names)
  AND upper(z.name) NOT IN
    (SELECT abbrev
     FROM pg_timezone_abbrevs)
GROUP BY z.name;
