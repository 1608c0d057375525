-- forget_notes
-- halo_engine/moving/rows.py
-- Parameters: org_id uuid
DELETE
FROM moved_rows
WHERE moved_rows.org_id =
    (SELECT :org_id::UUID AS anon_1);
