"""``python -m crane_celery.flower_bridge``: the bridge of the configured cluster."""

import logging

from crane_celery import log_lines
from crane_celery.flower_bridge.bridge import run
from crane_celery.settings import load

if __name__ == "__main__":
    log_lines.install()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run(load())
