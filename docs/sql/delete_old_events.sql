-- delete_old_events
-- halo_engine/retention/pages.py
-- Parameters: org_id uuid, limit integer, cut timestamp with time zone
WITH page AS
  (SELECT events.id AS id,
          events.created_at AS created_at
   FROM events
   WHERE events.org_id =
       (SELECT :org_id::UUID AS anon_2)
   ORDER BY events.id
   LIMIT :limit::INTEGER),
     "old" AS
  (SELECT events.id AS id,
          events.created_at AS created_at
   FROM page
   JOIN events ON events.id = page.id
   AND events.org_id =
     (SELECT :org_id::UUID AS anon_3)
   WHERE page.created_at < :cut::TIMESTAMP WITH TIME ZONE
     AND events.created_at = page.created_at
     FOR
     UPDATE OF events SKIP LOCKED),
     gone AS
  (DELETE
   FROM events USING "old"
   WHERE events.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND events.id = "old".id
     AND events.created_at = "old".created_at RETURNING events.id)
SELECT max(page.id) AS max_1,
       coalesce(bool_or(page.created_at >= :cut::TIMESTAMP WITH TIME ZONE), true) AS coalesce_1,

  (SELECT count(*) AS count_1
   FROM gone) AS anon_1
FROM page;
