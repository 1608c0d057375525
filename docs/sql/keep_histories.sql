-- keep_histories
-- halo_engine/retention/sweeping.py
-- Parameters: next_at timestamp with time zone, org_id uuid
UPDATE histories
SET next_at=:next_at::TIMESTAMP WITH TIME ZONE,
                                          complete_since='{}'::JSONB,
cursor=NULL::JSONB
WHERE histories.org_id =
    (SELECT :org_id::UUID AS anon_1);
