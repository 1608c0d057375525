-- open_early_gates
-- halo_engine/series/early_gates.py
-- Parameters: now timestamp with time zone, org_id uuid, series_ids uuid[], contact_ids uuid[]
UPDATE automation_recipients
SET scheduled_for=:now::TIMESTAMP WITH TIME ZONE,
                                            latest_due=automation_recipients.scheduled_for
WHERE automation_recipients.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND automation_recipients.automation_id = ANY (:series_ids::UUID[])
  AND automation_recipients.end_user_id = ANY (:contact_ids::UUID[])
  AND false;
