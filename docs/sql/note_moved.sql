-- note_moved
-- halo_engine/moving/ledger.py
-- Parameters: widget_key text, org_id uuid
UPDATE moves
SET state='moved'::VARCHAR,
    widget_key=:widget_key::VARCHAR,
    old_widget_key=NULL::VARCHAR,
organization='{"widget_key": "widget-key", "old_widget_key": null}'::JSONB,
             switched_at=clock_timestamp()
WHERE moves.org_id =
    (SELECT :org_id::UUID AS anon_1)
  AND moves.state = 'leaving'::VARCHAR;
