-- count_notes
-- halo_engine/moving/rows.py
-- Parameters: org_id uuid
SELECT moved_rows.table_name,
       count(*) AS notes
FROM moved_rows
WHERE moved_rows.org_id =
    (SELECT :org_id::UUID AS anon_1)
GROUP BY moved_rows.table_name;
