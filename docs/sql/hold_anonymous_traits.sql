-- hold_anonymous_traits
-- halo_engine/contacts/clients/anonymous.py
-- Parameters: org_id uuid, session_ids text[]
SELECT anonymous_traits.session_id,
       anonymous_traits.traits
FROM anonymous_traits
WHERE anonymous_traits.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND anonymous_traits.session_id = ANY (:session_ids::TEXT[])
  AND anonymous_traits.said_at > '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE
ORDER BY anonymous_traits.session_id
FOR
UPDATE;
