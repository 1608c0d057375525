-- give_back_messages
-- halo_engine/contacts/clients/repeats.py
-- Parameters: org_id uuid, message_keys uuid[]
DELETE
FROM taken_messages
WHERE taken_messages.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND taken_messages.key = ANY (:message_keys::UUID[]);
