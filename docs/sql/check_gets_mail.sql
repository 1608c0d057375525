-- check_gets_mail
-- halo_engine/mail/incoming/links.py
-- Parameters: org_id uuid, row_id bigint, list_id uuid
SELECT EXISTS
  (SELECT *
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND messages.recipient_id = :row_id::BIGINT
     AND (EXISTS
            (SELECT *
             FROM subscription_members
             WHERE subscription_members.org_id =
                 (SELECT :org_id::UUID AS anon_3)
               AND subscription_members.end_user_id = messages.end_user_id
               AND subscription_members.subscription_id = :list_id::UUID))
     AND NOT (EXISTS
                (SELECT *
                 FROM suppressions
                 WHERE suppressions.org_id =
                     (SELECT :org_id::UUID AS anon_4)
                   AND suppressions.address = lower(messages.to_address)))) AS anon_1;
