-- signal_absorbed
-- Write a signal that every field of the user may have changed
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: org_id uuid, now timestamp with time zone, lead_ids uuid[], contact_ids uuid[]
INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at)
SELECT :org_id::UUID AS anon_1,
       'changed'::VARCHAR AS anon_2,
       anon_3."user", ARRAY['*'::VARCHAR] AS anon_4,
                           :now::TIMESTAMP WITH TIME ZONE AS anon_5,
                                                             :now::TIMESTAMP WITH TIME ZONE AS anon_6
FROM unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_3(lead, "user");
