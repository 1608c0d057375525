-- find_orgs_to_judge
-- halo_engine/mail/incoming/scanning.py
SELECT organizations.id
FROM organizations
WHERE EXISTS
    (SELECT *
     FROM followed_links
     WHERE followed_links.org_id = organizations.id
       AND (NOT followed_links.judged
            AND followed_links.noted_at < '2026-01-01 00:59:30+00:00'::TIMESTAMP WITH TIME ZONE
            OR followed_links.judged
            AND followed_links.noted_at < '2026-01-01 00:58:58+00:00'::TIMESTAMP WITH TIME ZONE));
