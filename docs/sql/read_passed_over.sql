-- read_passed_over
-- halo_engine/contacts/stripe/passed_over.py
-- Parameters: org_id uuid
SELECT stripe_passed_over.why,
       stripe_passed_over.count
FROM stripe_passed_over
WHERE stripe_passed_over.org_id =
    (SELECT :org_id::UUID AS anon_1)
ORDER BY stripe_passed_over.why;
