-- unpark_signals
-- halo_engine/pipeline/signals/parking.py
-- Parameters: org_id uuid
UPDATE signals
SET parked_at=NULL::TIMESTAMP WITH TIME ZONE,
                                        error=NULL::VARCHAR,
                                        retry_at=NULL::TIMESTAMP WITH TIME ZONE
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.parked_at IS NOT NULL RETURNING signals.id;
