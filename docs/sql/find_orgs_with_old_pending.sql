-- find_orgs_with_old_pending
-- halo_engine/contacts/consent/pending.py
-- Parameters: now timestamp with time zone
SELECT organizations.id
FROM organizations
WHERE organizations.asks_to_confirm
  AND ((EXISTS
          (SELECT *
           FROM pending_members
           WHERE pending_members.org_id = organizations.id
             AND pending_members.asked_at <= :now::TIMESTAMP WITH TIME ZONE - INTERVAL '7 days 0 seconds'))
       OR
         (SELECT confirmations.asked_at
          FROM confirmations
          WHERE confirmations.org_id = organizations.id
          ORDER BY confirmations.id
          LIMIT 1::INTEGER) < :now::TIMESTAMP WITH TIME ZONE - INTERVAL '30 days 0 seconds');
