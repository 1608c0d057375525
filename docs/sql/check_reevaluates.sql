-- check_reevaluates
-- halo_engine/answers/operations/waiting.py
-- Parameters: org_id uuid
SELECT EXISTS
  (SELECT *
   FROM automations
   WHERE automations.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automations.status = 'active'::VARCHAR
     AND automations.entry_trigger = 'segment_match'::VARCHAR) AS anon_1;
