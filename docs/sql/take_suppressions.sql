-- take_suppressions
-- halo_engine/contacts/consent/erasure.py
-- Parameters: org_id uuid, contact_ids uuid[]
DELETE
FROM suppressions
WHERE suppressions.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND suppressions.address IN
    (SELECT end_users.address
     FROM end_users
     WHERE end_users.org_id =
         (SELECT :org_id::UUID AS anon_2)
       AND end_users.id = ANY (:contact_ids::UUID[])
     UNION SELECT lower(messages.to_address) AS lower_1
     FROM messages
     WHERE messages.org_id =
         (SELECT :org_id::UUID AS anon_3)
       AND messages.end_user_id = ANY (:contact_ids::UUID[]))
  AND NOT (EXISTS
             (SELECT *
              FROM end_users AS other
              WHERE other.org_id =
                  (SELECT :org_id::UUID AS anon_4)
                AND other.address = suppressions.address
                AND NOT (other.id = ANY (:contact_ids::UUID[])))) RETURNING suppressions.address,
                                                                            suppressions.bounced_at,
                                                                            suppressions.unsubscribed_at,
                                                                            suppressions.complained_at;
