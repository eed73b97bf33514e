"""The small languages people type: one module each, pure, standard library only.

Every ``parse_*`` here takes text (and, where time matters, ``now`` as an argument) and either returns a value or raises
:class:`crane_celery.errors.InputError` whose message names the input and the remedy. Nothing reads a clock, a file or
the environment. User commands import these modules before they do anything else, so none imports ``typing``
(about a quarter of a bare interpreter start): records come from :mod:`crane_celery.grammar._record`. For the same
reason regular expressions are kept as text and compiled by their first use; :mod:`re` remembers them.
"""
