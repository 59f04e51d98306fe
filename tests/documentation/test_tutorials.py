"""How a tutorial is read, executed and shown (docs/site/)."""

import importlib.util
import re

import pytest

from tests.documentation.snippets import ROOT

SCRIPT = '''"""A title.

An introduction.
"""

# %%
# ## Text
#
# More text.

import matplotlib.pyplot as plt

value = 6 * 7
print("the answer is", value)
figure = plt.figure()

# %%
assert value == 42, value
# a comment of the code

# %%
# The end.
'''


def hook(name):
    """A module of docs/site, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/site/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_script_is_split_into_text_and_code():
    docstring, blocks = hook("execute").split_script(SCRIPT)
    assert docstring == "A title.\n\nAn introduction."
    assert [block["text"] for block in blocks] == ["## Text\n\nMore text.", "", "The end."]
    assert blocks[0]["code"].startswith("import matplotlib") and blocks[0]["line"] == 11
    assert blocks[1]["code"] == "assert value == 42, value\n# a comment of the code" and blocks[2]["code"] == ""


def test_the_page_shows_what_the_script_prints_and_plots(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    tutorials, script = hook("tutorials"), tmp_path / "example.py"
    script.write_text(SCRIPT)
    page = tutorials.format_page(script, *tutorials.run(script))
    assert "# A title\n\nAn introduction." in page and "## Text\n\nMore text." in page
    assert "```{ .text .output }\nthe answer is 42\n```" in page
    assert page.count("](example_1.svg)") == 1 and page.endswith("The end.\n")


def test_a_script_that_fails_ends_the_build_and_its_line_is_named(tmp_path):
    exceptions = pytest.importorskip("mkdocs.exceptions", reason="the extra `docs` is not installed")
    script = tmp_path / "example.py"
    script.write_text(SCRIPT.replace("6 * 7", "6 * 8"))
    line = SCRIPT.splitlines().index("assert value == 42, value") + 1
    with pytest.raises(exceptions.PluginError, match=rf'example.py", line {line}(.|\n)*AssertionError: 48'):
        hook("tutorials").run(script)


@pytest.mark.parametrize("script", sorted((ROOT / "docs/tutorials").glob("*.py")), ids=lambda path: path.stem)
def test_a_tutorial_has_a_title_and_links_to_pages_that_exist(script):
    docstring, blocks = hook("execute").split_script(script.read_text(encoding="utf-8"))
    assert re.match(r"[A-Z][^\n]*\.\n\n\S", docstring) and blocks[0]["text"].startswith("## ")
    texts = "\n".join([docstring, *(block["text"] for block in blocks)])
    targets = set(re.findall(r"\]\(([^)#]+)", texts)) - {"../demo.html"}  # which the site makes
    assert all((script.parent / target).is_file() for target in targets), targets
    assert "import" in blocks[0]["code"]
