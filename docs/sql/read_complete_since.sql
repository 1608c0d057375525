-- read_complete_since
-- halo_engine/series/histories.py
-- Parameters: org_id uuid
SELECT histories.complete_since
FROM histories
WHERE histories.org_id =
    (SELECT :org_id::UUID AS anon_1);
