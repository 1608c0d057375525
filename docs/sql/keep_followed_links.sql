-- keep_followed_links
-- halo_engine/mail/incoming/followed.py
-- Parameters: org_id uuid, now timestamp with time zone
WITH there AS
  (SELECT messages.recipient_id AS recipient_id
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND messages.recipient_id IN
       (SELECT anon_2.recipient_id
        FROM unnest('{}'::INTEGER[], '{}'::BIGINT[], '{}'::BYTEA[], '{}'::TIMESTAMP WITH TIME ZONE[], '{}'::BOOLEAN[], '{}'::BOOLEAN[]) AS anon_2(ordinal, recipient_id, link, at, machine, is_click))
     FOR KEY SHARE)
INSERT INTO followed_links (org_id, recipient_id, link, at, machine, is_click, noted_at)
SELECT
  (SELECT :org_id::UUID AS anon_1) AS anon_1,
       anon_2.recipient_id,
       anon_2.link,
       anon_2.at,
       anon_2.machine,
       anon_2.is_click,
       :now::TIMESTAMP WITH TIME ZONE AS anon_3
FROM unnest('{}'::INTEGER[], '{}'::BIGINT[], '{}'::BYTEA[], '{}'::TIMESTAMP WITH TIME ZONE[], '{}'::BOOLEAN[], '{}'::BOOLEAN[]) AS anon_2(ordinal, recipient_id, link, at, machine, is_click)
WHERE anon_2.recipient_id IN
    (SELECT there.recipient_id
     FROM there)
ORDER BY anon_2.ordinal;
