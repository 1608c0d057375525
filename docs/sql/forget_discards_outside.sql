-- forget_discards_outside
-- halo_engine/enrollment/surges/discards.py
-- Parameters: series_id uuid, org_id uuid, series_ids uuid[], contact_ids uuid[]
WITH seen AS
  (SELECT discarded_entries.automation_id AS automation_id,
          discarded_entries.end_user_id AS end_user_id,
          CASE
              WHEN (discarded_entries.automation_id = :series_id::UUID) THEN ((end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH)
                                                                              AND end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS NOT true
              ELSE false
          END AS outside
   FROM end_users
   JOIN discarded_entries ON discarded_entries.org_id = end_users.org_id
   AND discarded_entries.end_user_id = end_users.id
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND array_position(:series_ids::UUID[], discarded_entries.automation_id) IS NOT NULL
     AND end_users.id = ANY (:contact_ids::UUID[]))
DELETE
FROM discarded_entries USING seen
WHERE discarded_entries.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND discarded_entries.automation_id = seen.automation_id
  AND discarded_entries.end_user_id = seen.end_user_id
  AND discarded_entries.outside_by_definition != seen.outside;
