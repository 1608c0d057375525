-- begin_reevaluation
-- halo_engine/pipeline/passes/beginning.py
-- Parameters: now timestamp with time zone, org_id uuid, since timestamp with time zone
UPDATE organizations
SET reevaluated_at=:now::TIMESTAMP WITH TIME ZONE,
                                             passes=(organizations.passes + 1::BIGINT)
WHERE organizations.id = :org_id::UUID
  AND organizations.reevaluated_at = :since::TIMESTAMP WITH TIME ZONE;
