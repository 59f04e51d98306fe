import re
import shutil
import subprocess
import unicodedata

import pytest

from hippo.lab.reporting.latex import ESCAPED, LATIN, SIGNS, symbols, tex

OTHERS = "☃漢ðɐ\N{COMBINING ACUTE ACCENT}\N{ZERO WIDTH SPACE}\x1b\x85\ue000"  # nothing that LaTeX knows


def test_letters_and_signs_are_commands_that_latex_has():
    assert tex("θ, Δ ≥ ½, 10⁶ ± 2 °") == r"$\theta$, $\Delta$ $\ge$ $\frac{1}{2}$, 10$^6$ $\pm$ 2 $^\circ$"
    assert tex("ς ό ο Α") == r"$\varsigma$ $\acute{\mathrm{o}}$ $\mathrm{o}$ $\mathrm{A}$"
    assert tex("Kajić, Mackey–Glass…") == r"Kajić, Mackey--Glass\dots{}"


def test_what_latex_reads_as_code_is_printed():
    assert tex("50 % of {x}_1 & <y>") == r"50 \% of \{x\}\_1 \& $<$y$>$"
    assert tex("[a] * b | c") == "{[}a] {*} b $|$ c"  # \\ would take the bracket and the star for its own
    assert symbols(r"\textbf{θ} \\") == r"\textbf{$\theta$} \\"


def test_what_has_no_command_is_named_in_brackets():
    assert tex("☃") == "{[}snowman]"
    assert tex("\x1b") == "{[}U+001B]"
    assert tex("e\N{COMBINING ACUTE ACCENT}") == "é"  # one letter, however it is written


def test_whatever_is_written_only_what_latex_knows_is_left():
    for code in {*range(0x3000), *map(ord, OTHERS)} - {0xD}:
        printed = tex(chr(code))
        assert all(c in LATIN or c in "\n\t" or (c.isascii() and c.isprintable()) for c in printed), hex(code)
        assert printed.replace(r"\{", "").count("{") == printed.replace(r"\}", "").count("}"), hex(code)


def test_greek_letters_are_complete():
    """The 24 letters in both cases, the final sigma, and the seven vowels with their accent in both cases."""
    letters = {chr(code) for code in range(0x386, 0x3CF) if chr(code).isalpha()}
    accented = {letter for letter in letters if len(unicodedata.normalize("NFD", letter)) > 1}
    dieresis = set("ΐΪΫΰϊϋ")
    assert len(letters - accented) == 2 * 24 + 1 and len(accented - dieresis) == 2 * 7
    assert letters - dieresis <= SIGNS.keys()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex: install texlive-latex-base")
def test_everything_compiles_and_no_character_is_lost(tmp_path):
    lines = [f"{tex(c)} is {tex(unicodedata.name(c, 'unnamed'))}" for c in [*ESCAPED, *SIGNS, *sorted(LATIN), *OTHERS]]
    rows = r"\\ ".join([tex(c) for c in "[*"] + [symbols(c) for c in SIGNS])
    tables = rf"\begin{{tabular}}{{l}} x \\ {rows} \end{{tabular}}"
    body = "\n\n".join([*lines, rf"\section{{{tex('θ ≥ ½')}}}", r"\tiny " + tables])
    document = rf"\documentclass{{article}}\tracinglostchars=2 \begin{{document}}{body}\end{{document}}"
    (tmp_path / "all.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.search("Missing character", (tmp_path / "all.log").read_text(errors="replace"))
