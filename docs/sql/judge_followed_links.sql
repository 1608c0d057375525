-- judge_followed_links
-- Build the statement: a row for each link, with its mail and whether a machine followed it
-- halo_engine/mail/incoming/scanning.py
-- Parameters: org_id uuid, until timestamp with time zone, limit integer
WITH due AS
  (SELECT followed_links.org_id AS org_id,
          followed_links.id AS id,
          followed_links.recipient_id AS recipient_id,
          followed_links.link AS link,
          followed_links.at AS at,
          followed_links.noted_at AS noted_at,
          followed_links.machine AS machine,
          followed_links.is_click AS is_click,
          followed_links.judged AS judged
   FROM followed_links
   WHERE followed_links.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND NOT followed_links.judged
     AND followed_links.noted_at <= :until::TIMESTAMP WITH TIME ZONE
   ORDER BY followed_links.noted_at,
            followed_links.id
   LIMIT :limit::INTEGER
   FOR UPDATE SKIP LOCKED),
     judged AS
  (UPDATE followed_links
   SET judged=true
   FROM due
   WHERE followed_links.org_id =
       (SELECT :org_id::UUID AS anon_2)
     AND followed_links.id = due.id),
     swept AS
  (DELETE
   FROM followed_links
   WHERE followed_links.org_id =
       (SELECT :org_id::UUID AS anon_3)
     AND followed_links.judged
     AND followed_links.noted_at < '2026-01-01 06:59:00+00:00'::TIMESTAMP WITH TIME ZONE)
SELECT
  (SELECT messages.message_id
   FROM messages
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_4)
     AND messages.recipient_id = due.recipient_id) AS message_id,
       due.at,
       due.is_click,
       due.machine
OR (EXISTS
      (SELECT *
       FROM followed_links AS beside
       WHERE beside.org_id =
           (SELECT :org_id::UUID AS anon_5)
         AND beside.recipient_id = due.recipient_id
         AND beside.at BETWEEN due.at - INTERVAL '0 days 1 seconds' AND due.at + INTERVAL '0 days 1 seconds'
         AND beside.link != due.link)) AS machine
FROM due
ORDER BY due.at,
         due.id;
