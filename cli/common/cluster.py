"""``--config FILE``: the cluster that a command speaks to, or is about, is the one of this configuration.

It lies beside the file unless the file says where; ``$CRANE_HOME`` counts for a file of another place, as long as no
other cluster lies there.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from crane_celery.settings import Settings


def choose(path: str) -> None:
    """Have all questions go to the gateway of this cluster. Raises ConfigError for a file that is none."""
    from crane_celery.gateway import client

    client.use(os.path.join(_settings(path).run_dir, "gateway.sock"))


def administer(path: str) -> None:
    """Have what follows in this process, and what it starts, be about this cluster. Raises ConfigError."""
    home = _settings(path).home
    os.environ.update(CRANE_CONFIG=os.path.abspath(path), CRANE_HOME=home)


def _settings(path: str) -> Settings:
    from crane_celery.settings import load

    environ = {name: value for name, value in os.environ.items() if name != "CRANE_HOME"}
    home = os.environ.get("CRANE_HOME", "")
    own = os.path.join(home, "config.yaml")
    if home and (not os.path.exists(own) or os.path.realpath(own) == os.path.realpath(path)):
        environ["CRANE_HOME"] = home
    return load(path, environ)
