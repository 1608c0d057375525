-- delete_oldest
-- halo_engine/retention/pages.py
-- Parameters: org_id uuid, cut timestamp with time zone, limit integer
WITH "old" AS
  (SELECT audit_log.id AS id
   FROM audit_log
   WHERE audit_log.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND audit_log.at < :cut::TIMESTAMP WITH TIME ZONE
   ORDER BY audit_log.at
   LIMIT :limit::INTEGER
   FOR UPDATE SKIP LOCKED)
DELETE
FROM audit_log
WHERE audit_log.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND audit_log.id IN
    (SELECT "old".id
     FROM "old");
