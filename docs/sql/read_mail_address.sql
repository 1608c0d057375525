-- read_mail_address
-- halo_engine/mail/incoming/links.py
-- Parameters: org_id uuid, row_id bigint
SELECT mail_readers.to_address
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
    (SELECT :org_id::UUID AS anon_1)
  AND mail_readers.recipient_id = :row_id::BIGINT;
