-- read_last_sign
-- halo_engine/restoring/check.py
SELECT greatest(
                  (SELECT max(installation.ticked_at) AS max_1
                   FROM installation),
                  (SELECT max(organizations.reevaluated_at) AS max_2
                   FROM organizations)) AS greatest_1;
