-- check_somebody_is_held
-- halo_engine/enrollment/releasing.py
-- Parameters: org_id uuid, series_id uuid
SELECT EXISTS
  (SELECT *
   FROM held_entries
   WHERE held_entries.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND held_entries.automation_id = :series_id::UUID) AS anon_1;
