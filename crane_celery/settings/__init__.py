"""Define what one cluster is configured to be: read once from one YAML file, then handed around as frozen records.

``load()`` finds the file, reads it and fills in defaults; every error names file, line and key. Where things lie on the
host (home, run directory) is decided here too, so that no other part has an opinion on it (docs/architecture.md).
"""

from crane_celery.settings.files import config_path, load, parse
from crane_celery.settings.keys import DRIVERS
from crane_celery.settings.model import Settings
from crane_celery.settings.place import default_home, home_of, prepare_run_dir, run_dir_of

__all__ = [
    "DRIVERS",
    "Settings",
    "config_path",
    "default_home",
    "home_of",
    "load",
    "parse",
    "prepare_run_dir",
    "run_dir_of",
]
