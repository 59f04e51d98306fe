"""Pathfinder: statistics of the description, labels by tracing, resumed generation, and the published folders."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from hippo.data.errors import DataError, NoSourceError
from hippo.data.long_range_arena import contours, pathfinder, published_pathfinder
from hippo.data.long_range_arena.contours import generate
from hippo.data.long_range_arena.pathfinder import Pathfinder
from hippo.data.long_range_arena.segments import RECIPES, stamps
from hippo.data.sources import Sources


@pytest.fixture(scope="module", params=[32, 128])
def images(request):
    """Size and images: more of the small ones, which are generated faster."""
    return request.param, generate(request.param, {32: 400, 128: 60}[request.param], [7])


def test_half_of_the_labels_are_positive(images):
    _, made = images
    assert abs(made.labels.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(made.labels))


def test_pixels_span_all_gray_values_and_most_are_black(images):
    size, made = images
    assert made.pixels.dtype == np.uint8 and made.pixels.shape[1:] == (size, size)
    assert (made.pixels.max(axis=(1, 2)) == 255).all() and (made.pixels.min(axis=(1, 2)) == 0).all()
    # 28 segments of both contours and at most 32 of distractors, each of some pixels.
    recipe = RECIPES[size]
    segments = 2 * 14 + 4 * recipe.distractors
    pixels = segments * (recipe.length + 1) * np.ceil(recipe.thickness)
    inked = (made.pixels > 64).sum(axis=(1, 2)).mean()
    assert 0.5 * pixels < inked < 1.5 * pixels


def test_contours_start_at_the_given_distance(images):
    size, made = images
    first, second = made.paths[:, 0, 0], made.paths[:, 1, 0]
    distances = np.hypot(*(first - second).T)
    assert np.abs(distances - RECIPES[size].distance).max() <= np.sqrt(0.5)  # rounded to pixels
    border = 2 * RECIPES[size].distance
    assert first.min() >= border and first.max() < size - border


def test_segments_follow_each_other_and_turn_as_described(images):
    """Ends of neighboring segments are about a segment and both margins apart; sharp turns have no weight."""
    size, made = images
    recipe = RECIPES[size]
    steps = np.diff(made.paths[:, :, 1:].astype(float), axis=2)  # (images, 2, 12, 2)
    lengths = np.hypot(steps[..., 0], steps[..., 1])
    apart = [recipe.length + 2 * margin for margin in recipe.margins]
    assert np.median(lengths) >= min(apart) - 1.5 and np.median(lengths) <= max(apart) + 1.5
    # From the end of a segment: the margin straight on, then a segment and the margin at less than a right angle to it.
    # Four roundings to whole pixels move the ends by at most √2 each.
    margins = np.array(recipe.margins)
    assert lengths.max() <= recipe.length + 2 * margins.max() + 4 * np.sqrt(2)
    assert lengths.min() >= np.hypot(margins.min(), recipe.length + margins.min()) - 4 * np.sqrt(2)
    # A turn has the weight cos²(continuity × turn), so turns cluster around zero.
    angles = np.arctan2(steps[..., 0], steps[..., 1])
    turns = np.abs((np.diff(angles, axis=2) + np.pi) % (2 * np.pi) - np.pi)
    assert np.median(turns) < np.pi / 4 and np.mean(turns > np.pi / 2 + 0.3) < 0.02


@pytest.mark.parametrize("size", [32, 128])
def test_starts_point_to_each_whole_degree(size):
    """By the centers of the rendered segments; whole pixels turn them both ways, which cancels over the circle."""
    starts = stamps(RECIPES[size], max(RECIPES[size].margins)).starts
    half = starts.shape[1] // 2
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    found = np.rad2deg(np.arctan2((starts * rows).sum(axis=(1, 2)), (starts * columns).sum(axis=(1, 2))))
    turned = (found - np.arange(-180, 180) + 180) % 360 - 180
    assert abs(turned.mean()) < 0.5 and np.abs(turned).max() < 25


def test_every_segment_is_drawn(images):
    _, made = images
    for image, paths in zip(made.pixels, made.paths, strict=True):
        bright = ndimage.maximum_filter(image, 3)
        rows, columns = paths.reshape(-1, 2).T
        assert (bright[rows, columns] > 60).all()


def test_distractors_have_their_own_contrast(images):
    """The brightest pixels on contours and far from them, without markers: their gray values are as their contrasts."""
    size, made = images
    recipe = RECIPES[size]
    pixels: dict[str, list[int]] = {"contours": [], "distractors": []}
    for image, paths, markers in zip(made.pixels, made.paths, made.markers, strict=True):
        from_contours, from_markers = (distance_to(points, size) for points in (paths.reshape(-1, 2), markers))
        unmarked = from_markers > recipe.radius + recipe.length + 3
        for name, where in {
            "contours": from_contours < 1.5,
            "distractors": from_contours > recipe.length + 2 * max(recipe.margins),
        }.items():
            if (image[where & unmarked] > 0).any():
                pixels[name].append(image[where & unmarked].max())
    contours, distractors = (np.median(values) for values in pixels.values())
    published = {32: 1.5 / 2.0, 128: 1.0}[size]
    assert abs(contours / distractors - published) < 2 / 255  # both are rounded


def distance_to(points: np.ndarray, size: int) -> np.ndarray:
    """Distance of each pixel of an image to the nearest of the points (row, column)."""
    absent = np.ones((size, size), bool)
    absent[tuple(points.T)] = False
    return ndimage.distance_transform_edt(absent)


def found_markers(image: np.ndarray, radius: float) -> np.ndarray:
    """Positions (row, column) of the two brightest discs of an image."""
    reach = int(np.ceil(radius))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (rows**2 + columns**2 <= radius**2).astype(float)
    matched = ndimage.correlate(image.astype(float), disc / disc.sum(), mode="constant")
    first = np.unravel_index(np.argmax(matched), image.shape)
    rows, columns = np.indices(image.shape)
    matched[np.hypot(rows - first[0], columns - first[1]) < 2 * radius] = 0
    return np.array([first, np.unravel_index(np.argmax(matched), image.shape)])


def test_markers_are_on_the_ends_that_the_label_says(images):
    """The two brightest discs of the image lie on the start of one contour and the end of the same or the other."""
    size, made = images
    agreed = 0
    for image, label, paths, markers in zip(made.pixels, made.labels, made.paths, made.markers, strict=True):
        starts, ends = paths[:, 0], paths[:, -1]
        one = int(np.flatnonzero((starts == markers[0]).all(axis=1))[0])
        assert (ends[one if label else 1 - one] == markers[1]).all()
        found = found_markers(image, RECIPES[size].radius)
        if np.hypot(*(markers[0] - markers[1])) >= 3 * RECIPES[size].radius:  # apart, so that the discs can be told
            pairs = (found, found[::-1])
            agreed += min(np.abs(pair - markers).max() for pair in pairs) <= 2
        else:
            agreed += 1
    assert agreed / len(made.labels) > 0.97


def dashes(image: np.ndarray, markers: np.ndarray, radius: float) -> list[np.ndarray]:
    """Both ends (2, 2) of each dash of an image: a connected component of bright pixels outside the markers."""
    rows, columns = np.indices(image.shape)
    bright = image > 100
    for row, column in markers:
        bright &= np.hypot(rows - row, columns - column) > radius + 0.5
    components, count = ndimage.label(bright, np.ones((3, 3)))
    found = []
    for component in range(1, count + 1):
        points = np.argwhere(components == component).astype(float)
        if len(points) > 1:
            center = points.mean(axis=0)
            axis = np.linalg.svd(points - center)[2][0]
            along = (points - center) @ axis
            found.append(np.array([center + axis * along.min(), center + axis * along.max()]))
    return found


def reaches(found: list[np.ndarray], first: np.ndarray, last: np.ndarray, gap: float, arrival: float) -> bool:
    """Whether a chain of dashes leads from one marker to the other, in as many steps as a contour has dashes.

    The chain continues with the dash of the least gap and turn. It knows nothing of how the image was made.
    """
    position, direction, left = first.astype(float), None, list(range(len(found)))
    for step in range(15):
        if step >= 10 and np.hypot(*(position - last)) < arrival:
            return True
        best = None
        for number in left:
            for near, far in (found[number], found[number][::-1]):
                link = near - position
                forward = far - position if direction is None else far - near
                if np.hypot(*link) > gap or not forward.any():
                    continue
                forward, turn = forward / np.hypot(*forward), 0.0
                if direction is not None and link.any():
                    aside = [direction @ forward, direction @ link / np.hypot(*link)]
                    turns = np.arccos(np.clip(aside, -1, 1))
                    if turns.max() > 1.2:
                        continue
                    turn = turns.sum()
                cost = np.hypot(*link) + 2 * turn
                if best is None or cost < best[0]:
                    best = (cost, number, far, forward)
        if best is None:
            break
        _, number, position, direction = best
        left.remove(number)
    return bool(np.hypot(*(position - last)) < arrival)


def test_labels_agree_with_contours_that_are_traced_in_the_image():
    """A greedy tracer joins the markers, in both directions, far more often where the label says so.

    It fails where contours come near each other, as the task intends: the exact check of labels is that of the markers
    on the ends of chained segments.
    """
    made, recipe = generate(128, 80, [11]), RECIPES[128]
    joined = []
    for image in made.pixels:
        markers = found_markers(image, recipe.radius)
        found = dashes(image, markers, recipe.radius)
        joined.append(all(reaches(found, *ends, gap=11, arrival=12) for ends in (markers, markers[::-1])))
    joined = np.array(joined)
    assert joined[made.labels == 1].mean() > 0.5 and joined[made.labels == 0].mean() < 0.2


def test_the_same_seed_gives_the_same_images():
    first, again, other = generate(32, 5, [1, 2]), generate(32, 5, [1, 2]), generate(32, 5, [1, 3])
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.pixels != other.pixels).any()


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of ten images; the seeds of those that are generated."""
    seeds = []

    def counted(size, images, seed):
        seeds.append(tuple(seed))
        if counted.failing and len(seeds) == counted.failing:
            raise KeyboardInterrupt
        return generate(size, images, seed)

    counted.failing, counted.seeds = 0, seeds
    monkeypatch.setattr(pathfinder, "CHUNK", 10)
    monkeypatch.setattr(contours, "generate", counted)
    return counted


def test_dataset_of_generated_images(small_chunks, tmp_path):
    sources = Sources(cache=tmp_path, offline=True)
    dataset = Pathfinder(train_samples=25, eval_samples=12).build(sources)
    train, test = dataset.parts["train"], dataset.parts["test"]
    assert train.inputs.shape == (25, 1024, 1) and test.inputs.shape == (12, 1024, 1)
    made = generate(32, 10, [0, 0, 1])
    np.testing.assert_array_equal(train.inputs[10:20, :, 0], made.pixels.reshape(10, -1))
    np.testing.assert_array_equal(train.targets[10:20], made.labels)
    assert dataset.source == "Pathfinder-32, regenerated, seed 0" and dataset.scale * 255 == 1
    more = Pathfinder(train_samples=31, eval_samples=12).build(sources)
    np.testing.assert_array_equal(more.parts["train"].inputs[:25], train.inputs)
    np.testing.assert_array_equal(more.parts["test"].inputs, test.inputs)


def test_interrupted_generation_resumes(small_chunks, tmp_path):
    options, sources = Pathfinder(train_samples=30, eval_samples=10), Sources(cache=tmp_path, offline=True)
    small_chunks.failing = 3
    with pytest.raises(KeyboardInterrupt):
        options.build(sources)
    small_chunks.failing = 0
    resumed = options.build(sources)
    assert small_chunks.seeds == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 2), (0, 1, 0), (0, 2, 0)]
    assert options.build(sources).digest == resumed.digest and len(small_chunks.seeds) == 6


def put_published(home, size: int = 32, images: int = 50) -> np.ndarray:
    """Images in the published layout; their gray values."""
    rng = np.random.default_rng(size)
    pixels = rng.integers(0, 256, (images, size, size), dtype=np.uint8)
    folder = home / f"pathfinder{size}" / "curv_contour_length_14"
    for batch in (1, 2):
        (folder / "imgs" / str(batch)).mkdir(parents=True)
    (folder / "metadata").mkdir()
    for batch, start in ((1, 0), (2, images // 2)):
        lines = []
        for number, image in enumerate(pixels[start : start + images // 2]):
            Image.fromarray(image).save(folder / "imgs" / str(batch) / f"sample_{number}.png")
            label = int(image[0, 0] > 127)
            lines.append(f"imgs/{batch} sample_{number}.png {number} {label} 1.8 14 4 5 1.5 3 1\n")
        (folder / "metadata" / f"{batch}.npy").write_text("".join(lines))
    return pixels


SAMPLES = {"origin": "published", "train_samples": 40, "eval_samples": 5}


@pytest.fixture
def published(tmp_path, monkeypatch):
    monkeypatch.setattr(published_pathfinder, "IMAGES", 50)
    home = tmp_path / "user" / "lra_release" / "lra_release"
    home.mkdir(parents=True)
    return home, Sources(tmp_path / "user", cache=tmp_path / "cache", offline=True)


def test_published_images_and_labels(published):
    home, sources = published
    pixels = put_published(home)
    dataset = Pathfinder(**SAMPLES).build(sources)
    rows = {image.tobytes() for image in pixels}
    read = np.concatenate([part.inputs for part in dataset.parts.values()])
    assert {row.tobytes() for row in read} == rows and len(read) == 50
    for part in dataset.parts.values():
        np.testing.assert_array_equal(part.targets, part.inputs[:, 0, 0] > 127)
    assert [len(part.targets) for part in dataset.parts.values()] == [40, 5, 5]
    assert "regenerated" not in dataset.source
    assert Pathfinder(**SAMPLES, seed=1).build(sources).digest != dataset.digest


def test_damaged_copy_of_pathfinder128_is_refused_by_name(published):
    home, sources = published
    put_published(home.parent, 128, 2)
    (home.parent / "listops-1000").mkdir()
    for data_dir in (sources.data_dir, home.parent):  # the folder with the archive, or the outer folder of the archive
        with pytest.raises(DataError, match=f"{home.parent / 'pathfinder128'}: the damaged copy of pathfinder128"):
            Pathfinder(size=128, **SAMPLES).build(Sources(data_dir, offline=True))


def test_intact_pathfinder128_is_found_beside_the_damaged_copy(published, monkeypatch):
    home, sources = published
    put_published(home.parent, 128, 2)
    expected = put_published(home, 128, 50)
    (home / "tsv_data").mkdir()
    for data_dir in (sources.data_dir, home.parent, home):
        dataset = Pathfinder(size=128, **SAMPLES).build(Sources(data_dir, offline=True))
        read = np.concatenate([part.inputs for part in dataset.parts.values()])
        assert {row.tobytes() for row in read} == {image.tobytes() for image in expected}


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("image", "sample_3.png: missing or damaged image"),
        ("absent image", "sample_3.png: missing or damaged image"),
        ("size", r"sample_3.png: an image \(16, 16\)"),
        ("line", "metadata/1.npy: line 25 is 'imgs/1 sample_', expected folder, file, number and label"),
        ("outside", "metadata/1.npy: line 1 is"),
        ("lost lines", "metadata: 25 images are listed, expected 50"),
        ("lost folder", "has no folder 'metadata'"),
    ],
)
def test_damaged_published_folder_is_one_clear_error(published, damage, fault):
    home, sources = published
    put_published(home)
    folder = home / "pathfinder32" / "curv_contour_length_14"
    image, metadata = folder / "imgs" / "1" / "sample_3.png", folder / "metadata" / "1.npy"
    lines = metadata.read_text().splitlines()
    if damage == "image":
        image.write_bytes(image.read_bytes()[:100])
    elif damage == "absent image":
        image.unlink()
    elif damage == "size":
        Image.new("L", (16, 16)).save(image)
    elif damage == "line":
        metadata.write_text("\n".join([*lines[:-1], lines[-1][:14]]))
    elif damage == "outside":
        metadata.write_text("\n".join(["../../other x.png 0 1", *lines[1:]]))
    elif damage == "lost lines":
        metadata.unlink()
    else:
        (folder / "metadata").rename(folder / "meta")
    with pytest.raises(DataError, match=fault):
        Pathfinder(**SAMPLES).build(sources)


def test_absent_images_say_what_to_put_where(tmp_path):
    advice = "put pathfinder128/curv_contour_length_14 of Long Range Arena into a folder and set HIPPO_DATA_DIR to it"
    with pytest.raises(NoSourceError, match="Pathfinder: not found. Put pathfinder128/") as caught:
        Pathfinder(size=128, **SAMPLES).fetch(Sources(cache=tmp_path, offline=True))
    assert caught.value.advice == advice


def test_more_images_than_published_are_an_error(published):
    home, sources = published
    put_published(home)
    with pytest.raises(DataError, match="part 'train': 41 images are asked for, the published part has 40"):
        Pathfinder(origin="published", train_samples=41, eval_samples=5).build(sources)
