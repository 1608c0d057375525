-- note_names
-- halo_engine/moving/ledger.py
-- Parameters: widget_key text, org_id uuid
UPDATE moves
SET widget_key=:widget_key::VARCHAR,
    old_widget_key=NULL::VARCHAR
WHERE moves.org_id =
    (SELECT :org_id::UUID AS anon_1);
