-- note_contacts_for_pass
-- halo_engine/series/noting.py
-- Parameters: org_id uuid
INSERT INTO pass_notes (org_id, end_user_id, namesakes)
SELECT :org_id::UUID AS anon_1,
       anon_2.id,
       anon_2."all"
FROM unnest('{}'::UUID[], '{}'::BOOLEAN[]) AS anon_2(id, "all");
