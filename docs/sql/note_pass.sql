-- note_pass
-- halo_engine/pipeline/passes/beginning.py
-- Parameters: now timestamp with time zone, org_id uuid
UPDATE organizations
SET passed_fully_at=greatest(organizations.passed_fully_at, :now::TIMESTAMP WITH TIME ZONE),
    passes_are_quick=true
WHERE organizations.id = :org_id::UUID
  AND organizations.timezone = 'UTC'::VARCHAR;
