-- read_keys_of_lists
-- halo_engine/series/checking/surroundings.py
-- Parameters: org_id uuid
SELECT subscriptions.key
FROM subscriptions
WHERE subscriptions.org_id =
    (SELECT :org_id::UUID AS anon_1);
