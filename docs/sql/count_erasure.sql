-- count_erasure
-- halo_engine/contacts/erasure/batches.py
-- Parameters: org_id uuid, contact_ids uuid[]
SELECT
  (SELECT count(*) AS count_1
   FROM end_users
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND end_users.id = ANY (:contact_ids::UUID[])) AS contacts,

  (SELECT count(*) AS count_2
   FROM automation_enrollments
   WHERE automation_enrollments.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND automation_enrollments.end_user_id = ANY (:contact_ids::UUID[])) AS runs,

  (SELECT count(*) AS count_3
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND messages.end_user_id = ANY (:contact_ids::UUID[])) AS mails,

  (SELECT count(*) AS count_4
   FROM events
   WHERE events.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND events.end_user_id = ANY (:contact_ids::UUID[])) AS events,

  (SELECT count(*) AS count_5
   FROM suppressions
   WHERE suppressions.org_id =
       (SELECT :org_id::UUID AS anon_5)
     AND suppressions.address IN
       (SELECT end_users.address
        FROM end_users
        WHERE end_users.org_id =
            (SELECT :org_id::UUID AS anon_6)
          AND end_users.id = ANY (:contact_ids::UUID[])
        UNION SELECT lower(mail_readers.to_address) AS lower_1
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
            (SELECT :org_id::UUID AS anon_7)
          AND mail_readers.end_user_id = ANY (:contact_ids::UUID[]))
     AND NOT (EXISTS
                (SELECT *
                 FROM end_users AS other
                 WHERE other.org_id =
                     (SELECT :org_id::UUID AS anon_8)
                   AND other.address = suppressions.address
                   AND NOT (other.id = ANY (:contact_ids::UUID[]))))) AS suppressed;
