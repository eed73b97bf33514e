"""The options of a job that there are, in the order in which a help tells of them."""

from __future__ import annotations

from crane_celery.model.fields.asked import ELEMENTS, FILES, SIZE
from crane_celery.model.fields.foreign import KEPT, LATER
from crane_celery.model.fields.when import CONDITIONS

#: rows of what a request may ask for, and of what will be there one day
OPTIONS = (*SIZE, *FILES, *ELEMENTS, *CONDITIONS, *KEPT, *LATER)
