"""Batch scripts and their option lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_celery.errors import InputError
from crane_celery.grammar.directives import Directive, split_script
from crane_celery.grammar.words import split_words


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
        "#SBATCH-n4\n"
        "echo hello\n"
        "#SBATCH --late\n"
        "#CBATCH\t--late\n"
    )
    assert script.interpreter == ("/bin/bash", "-l")
    assert script.directives == (
        Directive(2, "#SBATCH", ("-N1", "--comment=two 'words'")),
        Directive(3, "#CBATCH", ("--job-name=it is", "--mem", "1G")),
        Directive(9, "#SBATCH", ("-n4",)),
        Directive(12, "#CBATCH", ("--late",)),
    )
    assert script.notices == (
        "line 11: #SBATCH after the first command (line 10) is not read, as in Slurm: move it up",
        "line 12: #CBATCH after the first command (line 10) is read all the same: better move it up",
        "line 6: taken for a comment: a directive begins its line, in capitals (#CBATCH, #SBATCH, #BSUB)",
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
        ("echo\n#CBATCH --x='open", "line 2"),
        ("\udcff\udcfee\0c\0h\0o\0", "UTF-16"),
        ("#!/bin/sh\recho\r", "old Macs"),
        ("#SBATCH\u00a0--mem=4G\necho", "a no-break space (U+00A0)"),
        ("#SBATCH --mem=4G\u00a0-n2\necho", "a no-break space (U+00A0)"),
        ("#SBATCH --mem=4G \u200b-n2\necho", "the character U+200B"),
        ("#SBATCH --mem=4G\udca0\necho", "a no-break space (U+00A0)"),
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


HIDDEN = {
    "heredoc": "cat <<EOF\n#C in\nEOF\n#C out\n",
    "two heredocs on a line": "cat <<-'EOF' <<\"B\" > x\n#C in\n\tEOF\n#C in\nB\n#C out\n",
    "in a substitution": "x=$(cat <<EOF\n#C in\nEOF\n)\n#C out\n",
    "in a quoted substitution": 'x="$(cat <<\'EOF\'\n#C in "\nEOF\n)"\n#C out\n',
    "in backticks": "x=`cat <<EOF\n#C in\nEOF\n`\n#C out\n",
    "here string": "cat <<< EOF\n#C out\n",
    "shifts": "x=$((1<<2))\n#C out\n((y=1<<3))\n#C out\na[1<<2]=3\n#C out\n",
    "comment": "true\n# cat <<EOF it's\n#C out\n",
    "single quotes": "echo 'a\n#C in\n'\n#C out\n",
    "double quotes": 'echo "a\n#C in\n"\n#C out\n',
    "C quotes": "echo $'it\\'s'\n#C out\n",
    "continued": "srun a \\\n#C in\n b\n#C out\n",
    "parameters": "echo ${#x} ${x#y} ${x:-'}'} $#\n#C out\n",
    "an apostrophe in quotes": 'echo "${1:-it\'s}" "$\'x"\n#C out\necho "${x:-"$(cat <<E\n#C in\nE\n)"}"\n#C out\n',
    "old arithmetic": "echo $[1<<2] $(( (1<<2) + (1<<3) ))\n#C out\n",
    "comments": "a=(x # it's\n)\ntrue;# \"\n#C out\nif [ x = '#' ]; then sed s/#.*// <<E; fi\n#C in\nE\n#C out\n",
    "a word with blanks": "cat << 'THE END' > x <<$V\n#C in\nTHE END\n#C in\n$V\n#C out\n",
    "escapes": "echo it\\'s a#b\n#C out\necho \\\"\n#C out\n",
    "case": "case $x in a) echo 'x';; esac\ny=$(case $x in a) echo \"q\";; esac)\n#C out\n",
    "no end": "cat <<EOF\n#C in\n",
    "escaped word": "cat <<\\EOF\n#C in\nEOF\n#C out\n",
    "joined last line": "cat <<EOF\nfoo\\\nEOF\n#C in\nEOF\n#C out\n",
    "rest of the line": 'cat <<EOF | while read x; do echo "$x"; done\n#C in\nEOF\n#C out\n',
    "blocks": "f() {\n#C out\n}\n(\n#C out\n)\n",
    "python": '#!/usr/bin/env python3\nx = """\n#C in\n"""\n#C out\ny = 1 << 2  # it\'s\n#C out\n',
    "R": "#!/usr/bin/Rscript\nx <- '\n#C in\n'\n#C out\n# it's\n#C out\n",
    "perl": '#!/usr/bin/perl\nprint F <<"EOT";\n#C in\nEOT\n#C out\n$x = 1 <<y; $z = "it\'s";\n#C out\n',
}

#: of other languages, or without an end
OTHERS = ("python", "R", "perl", "no end")


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN.keys())
@pytest.mark.parametrize("prefix", ["#CBATCH", "#BSUB"])
def test_no_directive_is_taken_from_what_a_script_writes_or_quotes(text: str, prefix: str) -> None:
    option = "-q" if prefix == "#BSUB" else "-p"
    script = split_script(text.replace("#C", f"{prefix} {option}"))
    lines = [number for number, line in enumerate(text.split("\n"), 1) if line == "#C out"]
    assert [each.line_no for each in script.directives] == lines
    assert len(script.notices) == bool(lines)


@given(st.lists(st.sampled_from(sorted(name for name in HIDDEN if name not in OTHERS)), max_size=6))
def test_one_text_does_not_hide_or_show_the_next(names: list[str]) -> None:
    text = "true\n" + "".join(HIDDEN[name] for name in names)
    script = split_script(text.replace("#C", "#CBATCH -p"))
    lines = [number for number, line in enumerate(text.split("\n"), 1) if line == "#C out"]
    assert [each.line_no for each in script.directives] == lines


def test_slurms_directives_end_at_the_first_command() -> None:
    text = "#!/bin/bash\n\n#SBATCH -n1\n  # why\n\t\n#SBATCH -c2\n  set -e\n#SBATCH -N9\ncat <<E\n#SBATCH -t1\nE\n"
    script = split_script(text)
    assert [each.line_no for each in script.directives] == [3, 6]
    assert script.notices == ("line 8: #SBATCH after the first command (line 7) is not read, as in Slurm: move it up",)


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("#PBS -l nodes=1\n#PBS -q x", "lines 2, 3: #PBS lines are not read here"),
        ("#$ -cwd", "line 2: #$ lines are not read here"),
        ("#HQ --cpus=4", "line 2: #HQ lines"),
        ("#FLUX: -N4", "line 2: #FLUX lines"),
        ("#sbatch -n4", "line 2: taken for a comment"),
        ("\t#BSUB -n 4", "line 2: taken for a comment"),
        ("#PBS -q x\n#SBATCH -n1", ""),
        ("# SBATCH -n4\n# SBATCH -c4", "lines 2, 3: taken for a comment: no blank may stand behind the #"),
        ("# SBATCH -n4\n#SBATCH -n1", ""),
        ("## PBS\n# SBATCH lines are Slurm's\n##SBATCH -n4\n#SBATCHING\n#$HOME", ""),
    ],
)
def test_notices_of_lines_that_are_not_read(head: str, says: str) -> None:
    notices = split_script(f"#!/bin/sh\n{head}\necho\n#PBS -x\n #SBATCH -n1\n").notices
    assert notices[0].startswith(says) if says else not notices


def test_a_byte_order_mark_is_passed_over() -> None:
    script = split_script("\ufeff#!/bin/bash\n#SBATCH --comment='a\u00a0b' # c\u00a0d\necho\n")
    assert script == (("/bin/bash",), (Directive(2, "#SBATCH", ("--comment=a\u00a0b",)),), ())
