-- forget_anonymous_traits
-- halo_engine/contacts/clients/anonymous.py
-- Parameters: org_id uuid, session_ids text[]
DELETE
FROM anonymous_traits
WHERE anonymous_traits.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND anonymous_traits.session_id = ANY (:session_ids::TEXT[]);
