-- rehearsal_stored_values
-- halo_engine/rehearsal/turning_points.py
-- Parameters: org_id uuid
SELECT end_users.custom_fields -> 'tier'::VARCHAR AS anon_1
FROM end_users
WHERE end_users.org_id =
    (SELECT :org_id::UUID AS anon_2);
