-- move_rows_of_lead
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: lead_ids uuid[], contact_ids uuid[], org_id uuid
UPDATE events
SET end_user_id=anon_1."user"
FROM unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user")
WHERE events.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND events.end_user_id = anon_1.lead;
