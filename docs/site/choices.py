"""Extension of Griffe, the reader of docstrings: parameters with a set of choices.

Griffe takes the first choice of `measure : {"legs", "legt"}, optional` as the default value. Here the default is that
of the signature, and the choices are shown as they are written.
"""

import re

import griffe

CHOICES = re.compile(r"^\s*(?P<names>[\w, *]+?) : (?P<choices>\{.+\}[^,\n]*)", re.MULTILINE)


class Choices(griffe.Extension):
    """Correct the parameters of all docstrings of a package after it was read."""

    def on_package(self, *, pkg: griffe.Module, **_) -> None:
        """Correct the docstrings of a package."""
        self._visit(pkg)

    def _visit(self, obj: griffe.Object) -> None:
        for member in obj.members.values():
            if not member.is_alias:
                self._visit(member)
        if obj.docstring and obj.kind in (griffe.Kind.CLASS, griffe.Kind.FUNCTION):
            written = {
                name: match["choices"]
                for match in CHOICES.finditer(obj.docstring.value)
                for name in match["names"].split(", ")
            }
            for section in obj.docstring.parsed if written else ():
                if section.kind is griffe.DocstringSectionKind.parameters:
                    for parameter in section.value:
                        self._correct(parameter, written, obj)

    def _correct(self, parameter: griffe.DocstringParameter, written: dict[str, str], obj: griffe.Object) -> None:
        if parameter.name in written:
            parameter.annotation = written[parameter.name]
            declared = obj.parameters[parameter.name] if parameter.name in obj.parameters else None
            parameter.value = None if declared is None or declared.required else str(declared.default)
