-- check_suppressed
-- halo_engine/mail/composing/samples.py
-- Parameters: org_id uuid, address text
SELECT EXISTS
  (SELECT *
   FROM suppressions
   WHERE suppressions.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND suppressions.address = lower(:address::VARCHAR)) AS anon_1;
