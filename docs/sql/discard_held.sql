-- discard_held
-- halo_engine/enrollment/surges/discards.py
-- Parameters: org_id uuid, series_id uuid, now timestamp with time zone
WITH gone AS
  (DELETE
   FROM held_entries
   WHERE held_entries.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND held_entries.automation_id = :series_id::UUID RETURNING held_entries.automation_id,
                                                                 held_entries.end_user_id,
                                                                 held_entries.id),
     kept AS
  (INSERT INTO discarded_entries (org_id, automation_id, end_user_id, discarded_at, outside_by_definition) SELECT :org_id::UUID AS anon_1,
                                                                                                                  gone.automation_id AS automation_id,
                                                                                                                  gone.end_user_id AS end_user_id,
                                                                                                                  :now::TIMESTAMP WITH TIME ZONE AS anon_2,
                                                                                                                                                    false AS anon_3
   FROM gone
   ORDER BY gone.id ON CONFLICT (org_id,
                                 automation_id,
                                 end_user_id) DO UPDATE
   SET discarded_at = excluded.discarded_at,
       outside_by_definition = excluded.outside_by_definition)
SELECT count(*) AS count_1
FROM gone;
