-- read_mail_holds
-- halo_engine/answers/held_mail.py
-- Parameters: org_id uuid
SELECT installation.sending_stopped_at AS all_since,
       installation.sending_stopped_by AS all_by,
       organizations.sending_stopped_at AS its_since,
       organizations.sending_stopped_by AS its_by,
       installation.mail_down_since AS down_since,
       installation.mail_down_reason AS down_reason
FROM organizations
LEFT OUTER JOIN installation ON true
WHERE organizations.id = :org_id::UUID;
