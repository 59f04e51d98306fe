"""The products of the policy `amx` on emulated tile registers, on any processor, with addresses checked."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.kernels.test_kernels_sanitized import library

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """Return a function that runs tiles.cpp with some words and returns the finished process."""
    if not Path(library("libasan.so")).is_absolute():
        pytest.skip("there is no compiler with an address sanitizer here")
    program = tmp_path_factory.mktemp("tiles") / "tiles"
    flags = ["-std=c++20", "-O0", "-Wno-psabi", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = ["c++", *flags, "-DHIPPO_VECTOR_BYTES=64", f"-I{ROOT / 'csrc'}", ROOT / "tests/kernels/tiles.cpp"]
    subprocess.run([*command, "-o", program], check=True)
    return lambda *words: subprocess.run([program, *map(str, words)], capture_output=True, text=True)


def measure(tiles, *words):
    """Compute one product and return what tiles.cpp prints about it."""
    result = tiles(*words)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def roundings(count):
    """Each product passes through at most 16 sums inside a tile, of which the first is exact, the sum of both halves
    of a pair, and the sums of the tiles; only the sums round. A sum of zeros, as in padding, does not.
    """
    return 16 + -(-count // 32)


@pytest.mark.parametrize(
    ("rows", "width", "depth"),
    [(1, 32, 32), (3, 96, 64), (16, 64, 288), (17, 32, 96), (31, 64, 256), (32, 32, 32), (33, 64, 320), (47, 32, 32)]
    + [(48, 32, 64), (49, 64, 544), (50, 96, 288), (51, 32, 32), (64, 32, 32), (65, 32, 64), (100, 32, 64)],
)
def test_products_of_a_weight(tiles, rows, width, depth):
    measured = measure(tiles, "multiply", rows, width, depth)
    assert measured["error"] <= roundings(depth)
    assert measured["same"]  # each row alone gives the same bits
    # No more rows than an even number.
    tiles_of_weight = (width // 16) * (depth // 32)
    assert 0 <= measured["rows"] - rows * tiles_of_weight <= rows % 2 * tiles_of_weight


@pytest.mark.parametrize(
    ("rows", "m", "n"),
    [(0, 40, 33), (1, 1, 1), (2, 12, 32), (31, 33, 7), (64, 64, 32), (255, 13, 33), (256, 96, 16), (513, 130, 45)]
    + [(20, 600, 512)],  # whose sums exceed what the cache holds: `out` is computed in two parts
)
def test_gradient_of_a_weight(tiles, rows, m, n):
    measured = measure(tiles, "gradient", rows, m, n)
    assert measured["error"] <= roundings(rows)
    assert measured["same"]  # columns divided among three threads give the same bits


@pytest.mark.parametrize(("rows", "loads"), [(16, 1.25), (32, 1.0), (48, 4 / 3), (50, 1.25), (64, 1.25), (100, 1.25)])
def test_loads_for_each_product(tiles, rows, loads):
    """At two rows of a tile per cycle these take less time than the products: see docs/engine_speed.md."""
    measured = measure(tiles, "multiply", rows, 64, 512)
    sums = 2 * measured["products"] // 16  # of which each is stored twice and loaded once, for two blocks of depth
    assert measured["stores"] == sums
    assert measured["loads"] == loads * measured["products"] + sums // 2


def test_numbers_of_the_emulation(tiles):
    """Sums are rounded to even, even entries are added up first, and subnormal numbers are zeros."""
    assert measure(tiles, "numbers") == pytest.approx([1, 1 + 2**-23, 0, 0, 0], rel=1e-8, abs=0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("palette", "the palette is 1"),
        ("rows", "a tile's size is possible"),
        ("bytes", "a tile's size is possible"),
        ("empty", "a tile's size is possible"),
        ("ninth", "there are eight tiles"),
        ("sizes", "the sizes of the tiles fit"),
        ("depth", "the sizes of the tiles fit"),
        ("unconfigured", "the tile has been configured"),
        ("released", "the tile has been configured"),
        ("beyond", "AddressSanitizer"),
        ("", None),
    ],
)
def test_faults_of_the_emulation(tiles, name, message):
    result = tiles("fault", name)
    assert (result.returncode == 0) == (message is None)
    assert message is None or message in result.stderr
