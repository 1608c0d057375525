-- halve_signals
-- halo_engine/pipeline/signals/parking.py
-- Parameters: now timestamp with time zone, error text, org_id uuid, signal_ids bigint[]
UPDATE signals
SET attempts=greatest(signals.attempts + 1::SMALLINT, 9::INTEGER),
    parked_at=CASE
                  WHEN (signals.attempts + 1::SMALLINT >= 20::SMALLINT) THEN :now::TIMESTAMP WITH TIME ZONE
              END,
              error=CASE
                        WHEN (signals.attempts + 1::SMALLINT >= 20::SMALLINT) THEN :error::VARCHAR
                    END
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.id = ANY (:signal_ids::BIGINT[]) RETURNING signals.parked_at IS NOT NULL AS anon_2;
