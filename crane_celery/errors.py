"""Every error that a person can meet, as one tree.

::

    CraneError            E_CRANE        1
    ├── InputError        E_INPUT        2   what was typed cannot be meant; nothing was sent
    ├── FormatError       E_FORMAT       5   an output format names an unknown column
    ├── ConfigError       E_CONFIG       6   the configuration file is wrong; names file, line and key
    │   └── Untrusted     E_UNTRUSTED    6   a file, directory or socket that is not ours alone, so not believed
    ├── Unreachable       E_UNREACHABLE  3   no gateway or no server answers
    │   └── OutcomeUnknown E_UNKNOWN     3   asked for, and no answer came: it may have been done, or be done later
    ├── Refused           E_REFUSED      4   understood, and not done; says why
    │   ├── Infeasible    E_INFEASIBLE   4   no node could ever hold it
    │   ├── NotFound      E_NOT_FOUND    4   no such job, step, node or partition
    │   ├── Denied        E_DENIED       4   not yours, or not allowed here
    │   ├── LimitReached  E_LIMIT        4   a limit of the site stands in the way
    │   ├── DiskFull      E_DISK_FULL    4   the server keeps its last free space for running work
    │   └── MemoryFull    E_MEMORY_FULL  4   the server keeps its last free memory for running work
    ├── NotSupported      E_UNSUPPORTED  1   not there yet; said, never silently ignored
    ├── StaleFence        E_FENCE        6   a newer leader or a newer node epoch exists (internal)
    └── SystemFault       E_SYSTEM       6   the host failed us: IO, memory, a broken peer

Each class has a stable ``code`` and the ``status`` that a command exits with (reference/cranesched.md section 0.3).
The first argument is the whole message: it names the input and the remedy.
"""


class CraneError(Exception):
    """Base of all errors of this project."""

    code = "E_CRANE"
    status = 1
    #: of a submission of many: the ids that had been given out before
    accepted: tuple[int, ...] = ()

    @property
    def message(self) -> str:
        """Return what is shown to the person: the first argument, else the class's own sentence."""
        return str(self.args[0]) if self.args else (self.__doc__ or self.code)


class InputError(CraneError):
    """Raised when what was typed cannot be meant."""

    code = "E_INPUT"
    status = 2


class FormatError(CraneError):
    """The output format names an unknown column."""

    code = "E_FORMAT"
    status = 5


class ConfigError(CraneError):
    """The configuration file is wrong."""

    code = "E_CONFIG"
    status = 6


class Untrusted(ConfigError):
    """A file, a directory or a socket is not ours alone."""

    code = "E_UNTRUSTED"


class Unreachable(CraneError):
    """No gateway or no server answers."""

    code = "E_UNREACHABLE"
    status = 3
    #: the request had been sent, so it may be carried out all the same
    sent = False


class OutcomeUnknown(Unreachable):
    """It may have been done, or be done later: no answer came."""

    code = "E_UNKNOWN"


class Refused(CraneError):
    """Understood, and not done."""

    code = "E_REFUSED"
    status = 4


class Infeasible(Refused):
    """No node of the cluster could ever hold this request."""

    code = "E_INFEASIBLE"


class NotFound(Refused):
    """There is no such object."""

    code = "E_NOT_FOUND"


class Denied(Refused):
    """Not yours, or not allowed here."""

    code = "E_DENIED"


class LimitReached(Refused):
    """A limit of the site stands in the way."""

    code = "E_LIMIT"


class DiskFull(Refused):
    """The server keeps its last free space for running work."""

    code = "E_DISK_FULL"


class MemoryFull(Refused):
    """The server keeps its last free memory for running work."""

    code = "E_MEMORY_FULL"


class NotSupported(CraneError):
    """Not supported yet."""

    code = "E_UNSUPPORTED"


class StaleFence(CraneError):
    """A newer leader or a newer node epoch exists."""

    code = "E_FENCE"
    status = 6


class SystemFault(CraneError):
    """The host failed us."""

    code = "E_SYSTEM"
    status = 6


def _tree(cls: type[CraneError]) -> dict[str, type[CraneError]]:
    found = {cls.code: cls}
    for child in cls.__subclasses__():
        found |= _tree(child)
    return found


#: code -> class, for errors that come back over the gateway's socket
BY_CODE = _tree(CraneError)
