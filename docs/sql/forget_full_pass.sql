-- forget_full_pass
-- halo_engine/pipeline/passes/forgetting.py
-- Parameters: org_id uuid
UPDATE organizations
SET passed_fully_at=NULL::TIMESTAMP WITH TIME ZONE
WHERE organizations.id = :org_id::UUID;
