-- note_mail_event
-- halo_engine/mail/incoming/events.py
-- Parameters: given_rows jsonb, org_id uuid, now timestamp with time zone, mail_state text
WITH given AS
  (SELECT given.ordinal AS ordinal,
          given.contact AS contact,
          given.series AS series,
          given.step AS step,
          given.message_id AS message_id,
          given.at AS at
   FROM jsonb_to_recordset(:given_rows::JSONB) AS given(ordinal INTEGER, contact TEXT, series TEXT, step TEXT, message_id TEXT, at TIMESTAMP WITH TIME ZONE)),
     named AS
  (SELECT given.ordinal AS ordinal,
          coalesce(named_user.id, named_lead.id) AS contact_id,
          coalesce(named_user.address, named_lead.address) AS address
   FROM given
   LEFT OUTER JOIN LATERAL
     (SELECT end_users.id AS id,
             end_users.address AS address
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND end_users.external_id = given.contact
      LIMIT 1::INTEGER) AS named_user ON true
   LEFT OUTER JOIN LATERAL
     (SELECT end_users.id AS id,
             end_users.address AS address
      FROM end_users
      WHERE end_users.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND named_user.id IS NULL
        AND end_users.external_id IS NULL
        AND end_users.address = lower(given.contact)
      LIMIT 1::INTEGER) AS named_lead ON true
   WHERE coalesce(named_user.id, named_lead.id) IS NOT NULL),
     found AS
  (SELECT given.ordinal AS ordinal,
          coalesce(given.at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())) AS at,
          named.contact_id AS contact_id,
          automations.id AS series_id,
          coalesce(by_id.recipient_id, by_step.recipient_id) AS recipient_id,
          coalesce(by_id.end_user_id, by_step.end_user_id) AS end_user_id
   FROM given
   LEFT OUTER JOIN named ON named.ordinal = given.ordinal
   LEFT OUTER JOIN automations ON automations.org_id =
     (SELECT :org_id::UUID AS anon_1)
   AND automations.key = given.series
   LEFT OUTER JOIN LATERAL
     (SELECT messages.recipient_id AS recipient_id,
             messages.end_user_id AS end_user_id
      FROM messages
      WHERE messages.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND messages.state != :mail_state::VARCHAR
        AND messages.message_id = given.message_id
      ORDER BY messages.recipient_id DESC
      LIMIT 1::INTEGER) AS by_id ON true
   LEFT OUTER JOIN LATERAL
     (SELECT messages.recipient_id AS recipient_id,
             messages.end_user_id AS end_user_id
      FROM messages
      WHERE messages.org_id =
          (SELECT :org_id::UUID AS anon_1)
        AND messages.state != :mail_state::VARCHAR
        AND messages.end_user_id = named.contact_id
        AND messages.automation_id = automations.id
        AND messages.step_id IN
          (SELECT automation_steps.id
           FROM automation_steps
           WHERE automation_steps.org_id =
               (SELECT :org_id::UUID AS anon_1)
             AND automation_steps.automation_id = automations.id
             AND automation_steps.key = given.step)
      ORDER BY messages.recipient_id DESC
      LIMIT 1::INTEGER) AS by_step ON true), mails AS
  (SELECT found.ordinal AS ordinal,
          found.at AS at,
          found.contact_id AS contact_id,
          found.series_id AS series_id,
          found.recipient_id AS recipient_id,
          found.end_user_id AS end_user_id
   FROM found
   WHERE found.recipient_id IS NOT NULL),
                                             stamped AS
  (UPDATE messages
   SET replied_at=first.at,
       reply_arrival=nextval('arrivals')
   FROM
     (SELECT mails.recipient_id AS recipient_id,
             min(mails.at) AS at
      FROM mails
      GROUP BY mails.recipient_id) AS first
   WHERE messages.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND messages.recipient_id = first.recipient_id RETURNING messages.org_id,
                                                              messages.recipient_id,
                                                              messages.end_user_id,
                                                              messages.automation_id,
                                                              messages.enrollment_number,
                                                              messages.step_id,
                                                              messages.state,
                                                              messages.message_id,
                                                              messages.relay_id,
                                                              messages.to_address,
                                                              messages.intended_at,
                                                              messages.sent_at,
                                                              messages.error,
                                                              messages.marketing,
                                                              messages.opened_at,
                                                              messages.clicked_at,
                                                              messages.machine_opened_at,
                                                              messages.machine_clicked_at,
                                                              messages.replied_at,
                                                              messages.reply_arrival),
                                             concerned AS
  (SELECT mails.ordinal AS ordinal,
          mails.end_user_id AS contact_id
   FROM mails),
                                             told AS
  (INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at) SELECT
     (SELECT :org_id::UUID AS anon_1) AS anon_1,
                                                                                            'silent'::VARCHAR AS anon_2,
                                                                                            concerned.contact_id AS contact_id, ARRAY['mail'::VARCHAR,
                                                                                                                                      'last_seen'::VARCHAR] AS anon_3,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce_1,
                                                                                                                                     coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()) AS coalesce__1
   FROM concerned
   ORDER BY concerned.ordinal,
            concerned.contact_id RETURNING signals.id),
                                             seen AS
  (UPDATE end_users
   SET updated_at=greatest(end_users.updated_at, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp())),
       last_seen=greatest(end_users.last_seen, coalesce(:now::TIMESTAMP WITH TIME ZONE, statement_timestamp()))
   WHERE end_users.org_id =
       (SELECT :org_id::UUID AS anon_1)
     AND end_users.id IN
       (SELECT mails.end_user_id
        FROM mails))
SELECT found.ordinal,
       found.at,
       found.contact_id,
       found.series_id,
       found.recipient_id,
       found.end_user_id
FROM found
ORDER BY found.ordinal;
