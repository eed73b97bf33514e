"""Batch scripts and their option lines."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.directives import Directive, split_script, split_words


def test_script() -> None:
    script = split_script(
        "#!/bin/bash -l\n"
        "#SBATCH -N1 --comment=\"two 'words'\" # why\n"
        "#CBATCH --job-name='it is' --mem 1G\n"
        "##SBATCH --no\n"
        "#SBATCHING --no\n"
        " #SBATCH --no\n"
        "#SBATCH\n"
        "#CBATCH # nothing\n"
        "echo hello\n"
        "#CBATCH\t--late\n"
        "#SBATCH-n4"
    )
    assert script.interpreter == ("/bin/bash", "-l")
    assert script.directives == (
        Directive(2, "#SBATCH", ("-N1", "--comment=two 'words'")),
        Directive(3, "#CBATCH", ("--job-name=it is", "--mem", "1G")),
        Directive(10, "#CBATCH", ("--late",)),
        Directive(11, "#SBATCH", ("-n4",)),
    )


@pytest.mark.parametrize(
    ("first", "interpreter"),
    [
        ("echo", ()),
        ("#!/bin/sh", ("/bin/sh",)),
        ("#! /usr/bin/env python3 ", ("/usr/bin/env", "python3")),
        ("#!/usr/bin/env -S python3 -u", ("/usr/bin/env", "-S python3 -u")),
        (" #!/bin/sh", ()),
    ],
)
def test_interpreter(first: str, interpreter: tuple[str, ...]) -> None:
    assert split_script(first + "\necho\n").interpreter == interpreter


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" \n\t\n", "empty"),
        ("\x7fELF\0\0", "binary"),
        ("#!/bin/sh\r\necho\r\n", "sed -i"),
        ("#!\necho", "name the interpreter"),
        ("echo\n#SBATCH --x='open", "line 2"),
        ('#SBATCH --x="open\n"', "line 1"),
        ("#CBATCH --x\\", "line 1"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        split_script(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ()),
        ("  ", ()),
        ("a b\tc", ("a", "b", "c")),
        ("a#b #c d", ("a#b",)),
        ("#a", ()),
        ("'a b'\"c d\"e\\ f", ("a bc de f",)),
        ("'' \"\"", ("", "")),
        (r'"a\"b\\c\d\$"', ('a"b\\c\\d$',)),
        (r"'a\b'", ("a\\b",)),
        ("$HOME `x` *", ("$HOME", "`x`", "*")),
        ("'a'#b", ("a#b",)),
        ("'a", None),
        ('"a', None),
        ("a\\", None),
    ],
)
def test_split_words(line: str, words: tuple[str, ...] | None) -> None:
    assert split_words(line) == words
