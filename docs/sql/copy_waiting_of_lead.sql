-- copy_waiting_of_lead
-- Let the user wait for what either waits for: the later trigger stays (§23)
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: lead_ids uuid[], contact_ids uuid[], org_id uuid
INSERT INTO waiting_entries (org_id, automation_id, end_user_id, fired_at, event_id, arrival)
SELECT waiting_entries.org_id,
       waiting_entries.automation_id,
       anon_1."user",
       waiting_entries.fired_at,
       waiting_entries.event_id,
       waiting_entries.arrival
FROM waiting_entries,
     unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user")
WHERE waiting_entries.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND waiting_entries.end_user_id = anon_1.lead
ORDER BY anon_1."user" ON CONFLICT (org_id,
                                    automation_id,
                                    end_user_id) DO
UPDATE
SET fired_at = excluded.fired_at,
    event_id = excluded.event_id,
    arrival = excluded.arrival
WHERE (excluded.fired_at,
       excluded.arrival) > (waiting_entries.fired_at,
                            waiting_entries.arrival);
