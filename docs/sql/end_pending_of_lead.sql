-- end_pending_of_lead
-- End what is pending of lists that the user is on, by its own membership or the lead's
-- halo_engine/contacts/stripe/absorption.py
-- Parameters: lead_ids uuid[], contact_ids uuid[], org_id uuid
DELETE
FROM pending_members USING unnest(:lead_ids::UUID[], :contact_ids::UUID[]) AS anon_1(lead, "user"),
                           subscription_members
WHERE pending_members.org_id =
    (SELECT :org_id::UUID AS anon_2)
  AND pending_members.end_user_id = anon_1."user"
  AND subscription_members.org_id = pending_members.org_id
  AND subscription_members.end_user_id = pending_members.end_user_id
  AND subscription_members.subscription_id = pending_members.subscription_id;
