-- find_turned_dates
-- halo_engine/pipeline/passes/passing_time.py
-- Parameters: org_id uuid, limit integer
SELECT end_users.id
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND (end_users.signed_up_at >= '2025-12-02 02:00:00+00:00'::TIMESTAMP WITH TIME ZONE
       AND end_users.signed_up_at < '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE) IS true
LIMIT :limit::INTEGER;
