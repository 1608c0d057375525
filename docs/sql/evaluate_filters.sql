-- evaluate_filters
-- halo_engine/answers/filter_results.py
-- Parameters: org_id uuid, contact_ids uuid[]
SELECT end_users.id,
       CAST(ARRAY[(end_users.custom_fields @@ 'strict $."tier" >= 2'::JSONPATH) IS true, (end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true] AS BOOLEAN[]) AS anon_1,
       CAST(ARRAY[jsonb_typeof(end_users.custom_fields -> 'tier'::VARCHAR) IS DISTINCT
            FROM 'number', (end_users.created_at >= '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS NULL] AS BOOLEAN[]) AS anon_2,
       CAST(ARRAY[to_jsonb(end_users.custom_fields -> 'tier'::VARCHAR), to_jsonb(end_users.created_at)] AS JSONB[]) AS anon_3
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_4)
  AND end_users.id = ANY (:contact_ids::UUID[]);
