-- park_row
-- halo_engine/journey/parking.py
-- Parameters: now timestamp with time zone, error text, org_id uuid, row_id bigint
UPDATE automation_recipients
SET scheduled_for=CASE
                      WHEN (automation_recipients.status = 'pending') THEN coalesce(CASE
                                                                                        WHEN (automation_recipients.tries + 1::INTEGER >= 5::SMALLINT
                                                                                              AND :now::TIMESTAMP WITH TIME ZONE - coalesce(automation_recipients.failed_at, :now::TIMESTAMP WITH TIME ZONE) >= INTERVAL '0 days 300 seconds') THEN NULL
                                                                                        ELSE :now::TIMESTAMP WITH TIME ZONE + least(greatest(:now::TIMESTAMP WITH TIME ZONE - coalesce(automation_recipients.failed_at, :now::TIMESTAMP WITH TIME ZONE), INTERVAL '0 days 5 seconds'), INTERVAL '0 days 60 seconds')
                                                                                    END, '9000-01-01 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE)
                      ELSE automation_recipients.scheduled_for
                  END,
                  lease_expires_at=CASE
                                       WHEN (automation_recipients.status = 'processing') THEN clock_timestamp() + (coalesce(CASE
                                                                                                                                 WHEN (automation_recipients.tries + 1::INTEGER >= 5::SMALLINT
                                                                                                                                       AND :now::TIMESTAMP WITH TIME ZONE - coalesce(automation_recipients.failed_at, :now::TIMESTAMP WITH TIME ZONE) >= INTERVAL '0 days 300 seconds') THEN NULL
                                                                                                                                 ELSE :now::TIMESTAMP WITH TIME ZONE + least(greatest(:now::TIMESTAMP WITH TIME ZONE - coalesce(automation_recipients.failed_at, :now::TIMESTAMP WITH TIME ZONE), INTERVAL '0 days 5 seconds'), INTERVAL '0 days 60 seconds')
                                                                                                                             END, '9000-01-01 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE) - :now::TIMESTAMP WITH TIME ZONE)
                                       ELSE automation_recipients.lease_expires_at
                                   END,
                                   parked_at=:now::TIMESTAMP WITH TIME ZONE,
                                                                       error=:error::VARCHAR,
                                                                       retry_at=CASE
                                                                                    WHEN (automation_recipients.tries + 1::INTEGER >= 5::SMALLINT
                                                                                          AND :now::TIMESTAMP WITH TIME ZONE - coalesce(automation_recipients.failed_at, :now::TIMESTAMP WITH TIME ZONE) >= INTERVAL '0 days 300 seconds') THEN NULL
                                                                                    ELSE :now::TIMESTAMP WITH TIME ZONE + least(greatest(:now::TIMESTAMP WITH TIME ZONE - coalesce(automation_recipients.failed_at, :now::TIMESTAMP WITH TIME ZONE), INTERVAL '0 days 5 seconds'), INTERVAL '0 days 60 seconds')
                                                                                END,
                                                                                was_due=coalesce(automation_recipients.was_due, automation_recipients.scheduled_for),
                                                                                failed_at=coalesce(automation_recipients.failed_at, :now::TIMESTAMP WITH TIME ZONE),
                                                                                tries=(automation_recipients.tries + 1::INTEGER)
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.id = :row_id::BIGINT
  AND automation_recipients.status IN ('pending',
                                       'processing');
