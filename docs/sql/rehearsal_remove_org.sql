-- rehearsal_remove_org
-- halo_engine/rehearsal/sandbox.py
-- Parameters: org_id uuid
DELETE
FROM organizations
WHERE organizations.id = :org_id::UUID;
