-- park_signal
-- halo_engine/pipeline/signals/parking.py
-- Parameters: now timestamp with time zone, error text, org_id uuid, row_id bigint
UPDATE signals
SET parked_at=:now::TIMESTAMP WITH TIME ZONE,
                                        error=:error::VARCHAR,
                                        retry_at=CASE
                                                     WHEN (signals.tries + 1::INTEGER >= 5::SMALLINT
                                                           AND :now::TIMESTAMP WITH TIME ZONE - coalesce(signals.failed_at, :now::TIMESTAMP WITH TIME ZONE) >= INTERVAL '0 days 300 seconds') THEN NULL
                                                     ELSE :now::TIMESTAMP WITH TIME ZONE + least(greatest(:now::TIMESTAMP WITH TIME ZONE - coalesce(signals.failed_at, :now::TIMESTAMP WITH TIME ZONE), INTERVAL '0 days 5 seconds'), INTERVAL '0 days 60 seconds')
                                                 END,
                                                 failed_at=coalesce(signals.failed_at, :now::TIMESTAMP WITH TIME ZONE),
                                                 tries=(signals.tries + 1::INTEGER)
WHERE signals.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND signals.id = :row_id::BIGINT;
