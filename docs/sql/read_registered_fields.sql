-- read_registered_fields
-- halo_engine/audience/registered.py
-- Parameters: org_id uuid
SELECT audience_fields.entity,
       audience_fields.key,
       audience_fields.type
FROM audience_fields
WHERE audience_fields.org_id =
    (SELECT :org_id::UUID AS anon_1);
