"""The platform: servers, processes, settings, migrations, doorbell, the `halo` command."""
