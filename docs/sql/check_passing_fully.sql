-- check_passing_fully
-- halo_engine/pipeline/passes/beginning.py
-- Parameters: org_id uuid
SELECT EXISTS
  (SELECT *
   FROM signals
   WHERE signals.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND signals.kind = 'reevaluated'::VARCHAR
     AND signals.automation_id IS NULL
     AND (signals.cursor IS NULL
          OR NOT ((signals.cursor ? 'contact'::VARCHAR)))
     AND (signals.cursor IS NULL
          OR NOT ((signals.cursor ? 'narrow'::VARCHAR)))) AS anon_1;
