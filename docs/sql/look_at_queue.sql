-- look_at_queue
-- halo_engine/enrollment/surges/pacing.py
-- Parameters: org_id uuid, series_id uuid
SELECT EXISTS
  (SELECT *
   FROM held_entries
   WHERE held_entries.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND held_entries.automation_id = :series_id::UUID) AS waits,

  (SELECT coalesce(sum(released_entries.entries), 0::INTEGER) AS coalesce_1
   FROM released_entries
   WHERE released_entries.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND released_entries.automation_id = :series_id::UUID
     AND released_entries.began_at > '2026-01-01 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE) AS entered;
