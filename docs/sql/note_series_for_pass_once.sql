-- note_series_for_pass_once
-- halo_engine/series/noting.py
-- Parameters: org_id uuid
INSERT INTO pass_notes (org_id, automation_id)
SELECT :org_id::UUID AS anon_1,
       series_id
FROM unnest('{}'::UUID[]) AS series_id
WHERE NOT (EXISTS
             (SELECT *
              FROM pass_notes
              WHERE pass_notes.org_id =
                  (SELECT :org_id::UUID AS anon_2)
                AND pass_notes.taken_by IS NULL
                AND pass_notes.end_user_id IS NULL
                AND pass_notes.automation_id = series_id));
