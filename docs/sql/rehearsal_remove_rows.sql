-- rehearsal_remove_rows
-- halo_engine/rehearsal/sandbox.py
-- Parameters: org_id uuid
DELETE
FROM subscriptions
WHERE subscriptions.org_id =
    (SELECT :org_id::UUID AS anon_1);
