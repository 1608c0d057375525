-- read_list
-- halo_engine/contacts/consent/subscriptions.py
-- Parameters: org_id uuid, list_key text
SELECT subscriptions.key AS list,
       subscriptions.name,
       subscriptions.description,
       subscriptions.is_default AS "default",
       subscriptions.double_opt_in
FROM subscriptions
WHERE subscriptions.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND subscriptions.key = :list_key::VARCHAR;
