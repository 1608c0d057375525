-- note_default_lists
-- halo_engine/contacts/consent/subscriptions.py
-- Parameters: org_id uuid
UPDATE organizations
SET has_default_lists=(EXISTS
                         (SELECT *
                          FROM subscriptions
                          WHERE subscriptions.org_id =
                              (SELECT :org_id::UUID AS anon_1)
                            AND subscriptions.is_default))
WHERE organizations.id = :org_id::UUID
  AND organizations.has_default_lists != (EXISTS
                                            (SELECT *
                                             FROM subscriptions
                                             WHERE subscriptions.org_id =
                                                 (SELECT :org_id::UUID AS anon_1)
                                               AND subscriptions.is_default));
