-- note_pass
-- halo_engine/pipeline/reevaluate.py
-- Parameters: org_id uuid
UPDATE organizations
SET passes_are_quick=true
WHERE organizations.id = :org_id::UUID;
