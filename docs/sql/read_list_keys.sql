-- read_list_keys
-- halo_engine/contacts/csv_import/lists.py
-- Parameters: org_id uuid
SELECT subscriptions.key
FROM subscriptions
WHERE subscriptions.org_id =
    (SELECT :org_id::UUID AS anon_1)
ORDER BY subscriptions.key;
