-- find_surge_traces
-- halo_engine/enrollment/surges/traces.py
-- Parameters: org_id uuid, series_ids uuid[]
SELECT EXISTS
  (SELECT *
   FROM held_entries
   WHERE held_entries.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND held_entries.automation_id = ANY (:series_ids::UUID[])) AS held,
              EXISTS
  (SELECT *
   FROM discarded_entries
   WHERE discarded_entries.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND discarded_entries.automation_id = ANY (:series_ids::UUID[])) AS discards;
