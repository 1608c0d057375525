-- hold_histories
-- halo_engine/retention/sweeping.py
-- Parameters: org_id uuid
SELECT histories.next_at,
       histories.complete_since,
       histories.cursor
FROM histories
WHERE histories.org_id =
    (SELECT :org_id::UUID AS anon_1)
  FOR
  UPDATE SKIP LOCKED;
