-- claim_delivery
-- Keep the delivery, unless it was kept lately; forget some that were kept long ago
-- halo_engine/doors/over_http/hooks.py
-- Parameters: org_id uuid, delivery_name bytea, now timestamp with time zone
WITH gone AS
  (DELETE
   FROM hook_deliveries
   WHERE hook_deliveries.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND hook_deliveries.name = ANY (array(
                                             (SELECT "old".name
                                              FROM hook_deliveries AS "old"
                                              WHERE "old".org_id =
                                                  (SELECT :org_id::UUID AS anon_3)
                                                AND "old".taken_at < '2025-12-25 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE
                                                AND "old".name != :delivery_name
                                              ORDER BY "old".taken_at
                                              LIMIT 100::INTEGER
                                              FOR UPDATE SKIP LOCKED))))
INSERT INTO hook_deliveries (org_id, name, taken_at)
VALUES ((SELECT :org_id::UUID AS anon_1), :delivery_name, :now::TIMESTAMP WITH TIME ZONE) ON CONFLICT (org_id, name) DO
UPDATE
SET taken_at = :now::TIMESTAMP WITH TIME ZONE
WHERE hook_deliveries.taken_at < '2025-12-25 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE RETURNING hook_deliveries.name;
