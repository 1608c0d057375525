-- put_off_signals
-- halo_engine/pipeline/signals/parking.py
-- Parameters: now timestamp with time zone, error text, org_id uuid, signal_ids bigint[]
UPDATE signals
SET parked_at=:now::TIMESTAMP WITH TIME ZONE,
                                        error=:error::VARCHAR,
                                        retry_at='2026-01-01 01:01:00+00:00'::TIMESTAMP WITH TIME ZONE,
                                                                                                  failed_at=coalesce(signals.failed_at, :now::TIMESTAMP WITH TIME ZONE)
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.id = ANY (:signal_ids::BIGINT[]);
