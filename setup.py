"""Which packages a wheel installs, and under which names.

`workers/` and `migrations/` are `halo_workers` and `halo_migrations` where they are installed:
other people's modules have the folders' names too. Everything else is in pyproject.toml.
"""

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

FOLDERS = {"halo_workers": "workers", "halo_migrations": "migrations"}

#: What `make check` runs in the repository.
LEFT_OUT = {("halo_migrations", "check"), ("halo_migrations", "comparison")}


class Build(build_py):
    """Builds what an installation needs."""

    def find_package_modules(self, package, package_dir):
        """Return a package's modules, each as package, name and file."""
        found = super().find_package_modules(package, package_dir)
        return [each for each in found if each[:2] not in LEFT_OUT]


def packages():
    """Return the names of all packages, as they are installed."""
    yield from find_namespace_packages(include=["halo_engine*"])
    for name, folder in FOLDERS.items():
        yield name
        yield from (f"{name}.{each}" for each in find_namespace_packages(folder))


setup(packages=[*packages()], package_dir=FOLDERS, cmdclass={"build_py": Build})
