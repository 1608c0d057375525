-- keep_earlier_place_of_lead
-- Of a surge that holds both, keep the place of the one that was held first (contract §19)
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: lead_ids uuid[], contact_ids uuid[], org_id uuid
INSERT INTO held_entries (org_id, automation_id, end_user_id, id, held_at, event_id)
SELECT held_entries.org_id,
       held_entries.automation_id,
       anon_1."user",
       held_entries.id,
       held_entries.held_at,
       held_entries.event_id
FROM held_entries,
     unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user")
WHERE held_entries.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND held_entries.end_user_id = anon_1.lead
ORDER BY anon_1."user" ON CONFLICT (org_id,
                                    automation_id,
                                    end_user_id) DO
UPDATE
SET id = excluded.id,
    held_at = excluded.held_at,
    event_id = excluded.event_id
WHERE excluded.id < held_entries.id;
