"""The small languages people type: one module each, pure, standard library only.

Every ``parse_*`` here takes text (and, where time matters, ``now`` as an argument) and either returns a value or raises
:class:`crane_celery.errors.InputError` whose message names the input and the remedy. Nothing reads a clock, a file or
the environment. User commands import these modules before they do anything else, so none imports ``typing``
(about half a bare interpreter start here): records come from :mod:`crane_celery.grammar._record`.
"""
