-- rehearsal_fields
-- halo_engine/rehearsal/observations.py
-- Parameters: org_id uuid
SELECT audience_fields.entity,
       audience_fields.key
FROM audience_fields
WHERE audience_fields.org_id =
    (SELECT :org_id::UUID AS anon_1);
