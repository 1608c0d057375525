-- copy_rows_of_lead
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: lead_ids uuid[], contact_ids uuid[], org_id uuid
INSERT INTO subscription_members (org_id, end_user_id, subscription_id, subscribed_at)
SELECT subscription_members.org_id,
       anon_1."user",
       subscription_members.subscription_id,
       subscription_members.subscribed_at
FROM subscription_members,
     unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user")
WHERE subscription_members.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND subscription_members.end_user_id = anon_1.lead
ORDER BY anon_1."user" ON CONFLICT DO NOTHING;
