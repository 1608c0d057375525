-- rehearsal_pass_over_reevaluations
-- halo_engine/rehearsal/calendar.py
-- Parameters: since timestamp with time zone, org_id uuid
UPDATE organizations
SET reevaluated_at=:since::TIMESTAMP WITH TIME ZONE
WHERE organizations.id = :org_id::UUID;
