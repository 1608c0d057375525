-- find_discards
-- halo_engine/enrollment/surges/discards.py
-- Parameters: org_id uuid, series_ids uuid[]
SELECT EXISTS
  (SELECT *
   FROM discarded_entries
   WHERE discarded_entries.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND discarded_entries.automation_id = ANY (:series_ids::UUID[])) AS found;
