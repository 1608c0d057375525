-- find_orgs_to_sweep
-- halo_engine/webhooks/sweeping.py
SELECT organizations.id
FROM organizations
WHERE EXISTS
    (SELECT *
     FROM webhook_events
     WHERE webhook_events.org_id = organizations.id
       AND webhook_events.at < '2025-12-02 01:00:00+00:00'::TIMESTAMP WITH TIME ZONE);
