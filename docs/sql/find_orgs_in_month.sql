-- find_orgs_in_month
-- halo_engine/retention/months.py
SELECT holder
FROM unnest('{}'::UUID[]) AS holder
WHERE EXISTS
    (SELECT events.id
     FROM events
     WHERE events.org_id = holder
       AND events.created_at < '2026-01-01 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE);
