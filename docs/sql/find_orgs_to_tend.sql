-- find_orgs_to_tend
-- halo_engine/contacts/clients/giving.py
SELECT organizations.id
FROM organizations
WHERE (EXISTS
         (SELECT *
          FROM waiting_calls,
               end_users
          WHERE waiting_calls.org_id = organizations.id
            AND end_users.org_id = organizations.id
            AND end_users.external_id = waiting_calls.user_id))
  OR (EXISTS
        (SELECT *
         FROM waiting_calls
         WHERE waiting_calls.org_id = organizations.id
           AND waiting_calls.came_at <= now() - INTERVAL '1 days 0 seconds'))
  OR (EXISTS
        (SELECT *
         FROM anonymous_traits
         WHERE anonymous_traits.org_id = organizations.id
           AND anonymous_traits.said_at <= now() - INTERVAL '30 days 0 seconds'))
  OR (EXISTS
        (SELECT *
         FROM taken_messages
         WHERE taken_messages.org_id = organizations.id
           AND taken_messages.taken_at <= now() - INTERVAL '7 days 0 seconds'));
