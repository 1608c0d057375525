-- read_server_encoding
-- workers/command/doctor.py
SELECT current_setting('server_encoding');
