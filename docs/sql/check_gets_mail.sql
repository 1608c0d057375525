-- check_gets_mail
-- halo_engine/mail/incoming/links.py
-- Parameters: org_id uuid, row_id bigint, list_id uuid
SELECT EXISTS
  (SELECT *
   FROM
     (SELECT messages.org_id AS org_id,
             messages.recipient_id AS recipient_id,
             messages.end_user_id AS end_user_id,
             messages.to_address AS to_address
      FROM messages
      UNION ALL SELECT former_mails.org_id AS org_id,
                       former_mails.recipient_id AS recipient_id,
                       former_mails.end_user_id AS end_user_id,
                       former_mails.to_address AS to_address
      FROM former_mails) AS mail_readers
   WHERE mail_readers.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND mail_readers.recipient_id = :row_id::BIGINT
     AND (EXISTS
            (SELECT *
             FROM subscription_members
             WHERE subscription_members.org_id =
                 (SELECT :org_id::UUID AS anon_3)
               AND subscription_members.end_user_id = mail_readers.end_user_id
               AND subscription_members.subscription_id = :list_id::UUID))
     AND NOT (EXISTS
                (SELECT *
                 FROM suppressions
                 WHERE suppressions.org_id =
                     (SELECT :org_id::UUID AS anon_4)
                   AND suppressions.address = lower(mail_readers.to_address)))) AS anon_1;
