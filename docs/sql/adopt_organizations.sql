-- adopt_organizations
-- Note organisations that live in a cell, with all their names
-- halo_engine/cells/joining.py
-- Parameters: cell text
INSERT INTO cell_organizations (cell, id, key, widget_key, old_widget_key)
SELECT :cell::VARCHAR AS anon_1,
       anon_2.id,
       anon_2.key,
       anon_2.widget_key,
       anon_2.old_widget_key
FROM unnest('{NULL}'::UUID[], '{NULL}'::TEXT[], '{NULL}'::TEXT[], '{NULL}'::TEXT[]) AS anon_2(id, key, widget_key, old_widget_key);
