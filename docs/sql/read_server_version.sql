-- read_server_version
-- workers/command/doctor.py
SELECT current_setting('server_version_num')::int,
       current_setting('server_version');
