-- sweep_pending_members
-- halo_engine/contacts/consent/pending.py
-- Parameters: org_id uuid
DELETE
FROM pending_members
WHERE pending_members.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND pending_members.asked_at <= '2025-12-25 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE;
