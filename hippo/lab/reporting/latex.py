r"""Text as LaTeX code that compiles in any document: pdflatex has every character without a package.

Greek letters and signs become mathematics. Latin letters with accents stay. Any other character becomes its Unicode
name in brackets: "☃" becomes [snowman], because a document that does not compile is worse.
"""

import unicodedata

ESCAPED = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"}
ESCAPED |= {character: "\\" + character for character in "&%$#_{}"}

GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΥΦΨΩϑϕϵµ",
        r"\alpha \beta \gamma \delta \varepsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi \pi \rho \varsigma"
        r" \sigma \tau \upsilon \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Upsilon \Phi \Psi"
        r" \Omega \vartheta \phi \epsilon \mu".split(),
        strict=True,
    )
)
GREEK |= {  # letters that look like Latin ones have no command of their own
    greek: rf"\mathrm{{{latin}}}" for greek, latin in zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True)
}
MATHEMATICS = {
    "±": r"\pm", "−": "-", "·": r"\cdot", "×": r"\times", "÷": r"\div", "√": r"\surd", "∞": r"\infty", "∝": r"\propto",
    "≥": r"\ge", "≤": r"\le", "≠": r"\ne", "≈": r"\approx", "∼": r"\sim", "≡": r"\equiv", "≪": r"\ll", "≫": r"\gg",
    "→": r"\to", "←": r"\leftarrow", "↔": r"\leftrightarrow", "↑": r"\uparrow", "↓": r"\downarrow", "⇒": r"\Rightarrow",
    "∈": r"\in", "∂": r"\partial", "∇": r"\nabla", "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "′": "'", "°": r"^\circ",
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    "⁺": "^{+}", "⁻": "^{-}", "₊": "_{+}", "₋": "_{-}", "|": "|",
}  # fmt: skip
MATHEMATICS |= {sign: f"^{digit}" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
MATHEMATICS |= {sign: f"_{digit}" for digit, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")}
MATHEMATICS |= {letter: rf"\acute{{{GREEK[unicodedata.normalize('NFD', letter)[0]]}}}" for letter in "άέήίόύώΆΈΉΊΌΎΏ"}

SIGNS = {
    "—": "---", "–": "--", "‐": "-", "‑": "-", "…": r"\dots{}", "‘": "`", "’": "'", "“": "``", "”": "''", "§": r"\S{}",
    "\N{NO-BREAK SPACE}": "~", "\N{NARROW NO-BREAK SPACE}": r"\,", "\N{THIN SPACE}": r"\,",
    "[": "{[}", "*": "{*}",  # without braces, \\ of the line above would take either as its argument
}  # fmt: skip
SIGNS |= {character: f"${command}$" for character, command in {**GREEK, **MATHEMATICS}.items()}
# Letters that stay. OT1, the default font encoding, has or composes all letters of this range but those left out.
LATIN = {chr(code) for code in range(ord("À"), ord("ž") + 1)} - set("ÐðÞþĄąĘęĮįŲųĐđĦħŦŧŊŋĸĿŀŉĲĳ")


def tex(text: str) -> str:
    """Return LaTeX code that prints `text` literally."""
    return symbols("".join(ESCAPED.get(character, character) for character in text))


def symbols(code: str) -> str:
    r"""Return LaTeX code whose signs and letters are printable.

    Parameters
    ----------
    code : str
        LaTeX code. It may contain commands, but no optional argument and no starred form.
    """
    return "".join(SIGNS.get(character) or _kept(character) for character in unicodedata.normalize("NFC", code))


def _kept(character: str) -> str:
    """A character that has no command: itself if LaTeX can print it, else its name in brackets."""
    printable = character.isprintable() or character in "\n\t"
    if printable and (character.isascii() or character in LATIN):
        return character
    return f"{{[}}{unicodedata.name(character, '').lower() or f'U+{ord(character):04X}'}]"
