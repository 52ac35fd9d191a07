"""Training: what is set aside stays aside, runs resume, losses go down, what is exported can be used."""

import argparse
import csv
import json
from types import SimpleNamespace

import pytest
import torch
from networks import picture, random_extractor
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from style_core import RequestError, write_image
from style_core.devices import Compute
from style_core.networks.extractor import load_extractor
from style_core.networks.generator_net import LEVELS, SHARPENING_TERMS, GeneratorNet
from style_core.networks.moments import Moments, gram_matrix
from style_core.training import blend, distill, generator, register, runs, sharpening
from style_core.training.average import running_average
from style_core.training.data import Crops, is_held_out, split
from style_core.training.muon import Muon, orthogonalized
from style_core.training.workers import Workers

FP32 = Compute.choose("cpu", "fp32")


@pytest.fixture
def folder(tmp_path):
    for index in range(12):
        write_image(tmp_path / f"{index:02}.png", picture(40, 56, seed=index))
    return tmp_path


def test_one_picture_in_ten_is_held_out_by_its_name(folder, tmp_path):
    kept_back = next(f"{index}.png" for index in range(1000) if is_held_out(f"{index}.png"))
    write_image(folder / kept_back, picture(40, 56))
    training, held_out = split(folder)
    assert len(training) == 12 and [path.name for path in held_out] == [kept_back]
    share = sum(is_held_out(f"{index}.jpg") for index in range(5000)) / 5000
    assert 0.08 < share < 0.12
    with pytest.raises(RequestError, match="There are no pictures in"):
        split(tmp_path / "none")


def test_crops_repeat_from_their_state(folder):
    crops = Crops(split(folder)[0], seed=3)
    crops.batch(2, 16)
    state = crops.state_dict()
    first = crops.batch(3, 16)
    crops.load_state_dict(state)
    assert torch.equal(crops.batch(3, 16), first)
    assert first.shape == (3, 3, 16, 16) and first.min() >= 0 and first.max() <= 1


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path):
    def run(minutes):
        torch.manual_seed(0)
        net = nn.Linear(2, 2)
        return net, runs.Run(tmp_path, minutes, {"net": net}, log_every=2)

    net, first = run(1.0)
    for _ in range(5):
        assert first.going()
        net.weight.data += 1
        first.step_done(loss=1.0)
    first._stop(15, None)
    assert not first.going()
    again, second = run(1.0)
    assert second.steps == 5 and second.spent >= first._spent and torch.equal(again.weight, net.weight)
    second.step_done(loss=3.0)
    rows = (tmp_path / "curve.csv").read_text().splitlines()
    assert len(rows) == 4 and rows[-1].endswith(",3"), "a mean of the steps since it was taken up again"
    _, over = run(1e-9)
    assert not over.going()


def test_a_folder_with_another_run_is_refused_and_more_minutes_of_the_same_are_not(tmp_path):
    def run(**flags) -> runs.Run:
        return runs.Run(tmp_path, 1.0, {}, argparse.Namespace(out=tmp_path, **flags))

    run(rate=1e-3, minutes=1.0).checkpoint()
    run(rate=1e-3, minutes=2.0)
    with pytest.raises(RequestError, match="holds a training run with other flags; choose another folder with --out"):
        run(rate=2e-3, minutes=1.0)


def test_the_curve_takes_a_figure_that_comes_later_and_drops_steps_that_a_kill_has_undone(tmp_path):
    run = runs.Run(tmp_path, 1.0, {}, log_every=2)
    for step in range(6):
        run.step_done(loss=step, **({"critic": 10.0 + step} if step > 2 else {}))
        if step == 3:
            run.checkpoint()
    again = runs.Run(tmp_path, 1.0, {}, log_every=2)
    for _ in range(2):
        again.step_done(loss=7.0, critic=1.0)
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["loss"], row["critic"]) for row in rows] == [("2", "0.5", ""), ("4", "2.5", "13"), ("6", "7", "1")]


def test_a_resumed_run_does_not_repeat_its_random_numbers(tmp_path):
    torch.manual_seed(0)
    run = runs.Run(tmp_path, 1.0, {})
    torch.rand(3)
    run.checkpoint()
    expected = torch.rand(3)
    torch.manual_seed(0)
    runs.Run(tmp_path, 1.0, {})
    assert torch.equal(torch.rand(3), expected)


def test_pictures_set_aside_are_sharp_and_not_trained_on(tmp_path):
    for index in range(12):
        side = 480 if index % 2 else 100
        write_image(tmp_path / f"{index}.png", picture(side, side, seed=index))
    files = sorted(tmp_path.iterdir())
    rest, aside = generator.set_aside(files, seed=0)
    assert len(aside) == 3 and not set(rest) & set(aside) and set(rest) | set(aside) == set(files)
    assert all(int(file.stem) % 2 for file in aside)


def test_an_exported_student_s_distances_equal_those_through_its_heads(tmp_path):
    torch.manual_seed(0)
    student = distill.Student()
    distill.export(student, tmp_path / "lite.safetensors", {"model": "test"})
    lite = load_extractor("lite", tmp_path / "lite.safetensors", FP32)
    one, two = picture(48, 48, seed=1)[None], picture(48, 48, seed=2)[None]
    for layer in ("relu1_1", "relu3_1"):
        with torch.no_grad():
            mapped = [student.mapped(layer, student(batch)[layer]) for batch in (one, two)]
            shipped = [lite.extract(batch, [layer])[layer] for batch in (one, two)]
        wanted = (mapped[0] - mapped[1]).norm() / mapped[0].norm()
        found = (shipped[0] - shipped[1]).norm() / shipped[0].norm()
        assert abs(wanted - found) < 0.01 * wanted


def test_distillation_goes_on_from_what_it_exported_with_heads_that_fit(tmp_path):
    """A teacher that is a student's features through known heads: those heads are found again."""
    torch.manual_seed(0)
    old, new = distill.Student(), distill.Student()
    distill.export(old, tmp_path / "lite.safetensors", {})

    class Teacher:
        def extract(self, batch, layers):
            return {layer: old.mapped(layer, features) for layer, features in old(batch).items() if layer in layers}

    batches = [torch.rand(2, 3, 64, 64) for _ in range(12)]
    distill.begin_with(new, tmp_path / "lite.safetensors", Teacher(), batches)
    distill.fit_heads(new, Teacher(), batches)
    other = torch.rand(1, 3, 64, 64)
    for layer in ("relu1_1", "relu2_1", "relu3_1"):
        wanted, found = old.mapped(layer, old(other)[layer]), new.mapped(layer, new(other)[layer])
        assert (found - wanted).norm() < 0.1 * wanted.norm(), layer
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(RequestError, match="does not contain the layers of lite"):
        distill.begin_with(new, tmp_path / "other.safetensors", Teacher(), batches)


def test_distillation_from_a_student_of_another_shape_is_initialized_from_it(tmp_path):
    torch.manual_seed(0)
    old, new = distill.Student((16, 8, 8, 8, 8)), distill.Student((12, 12, 8, 8, 8))
    distill.export(old, tmp_path / "lite.safetensors", {})
    batches = [torch.stack([picture(64, 64, seed), picture(64, 64, seed + 1)]) for seed in range(0, 8, 2)]
    distill.begin_with(new, tmp_path / "lite.safetensors", random_extractor(width=16), batches)
    with torch.no_grad():
        mine, theirs = (student(picture(64, 64, 9)[None])["relu1_1"][0].flatten(1).mT for student in (new, old))
    assert (theirs - mine @ torch.linalg.lstsq(mine, theirs).solution).norm() < 0.2 * theirs.norm()


def test_distillation_compares_what_pairs_differ_by():
    """Nothing between a picture and itself; all of the teacher's difference where the student sees nothing."""
    torch.manual_seed(0)
    teacher, student = random_extractor(width=16), distill.Student()
    with torch.no_grad():
        for head in student.heads.values():
            head.weight = nn.Parameter(torch.randn(16, head.in_channels, 1, 1))
    train_step = distill.TrainStep(teacher, student, *[_still_crops()] * 2, Workers(1), pairs=2, size=32)
    one, two = picture(32, 32, seed=1), picture(32, 32, seed=2)
    with torch.no_grad():
        same = train_step.losses(torch.stack([one, one])[None])
        for head in student.heads.values():
            head.weight.zero_()
        blind = train_step.losses(torch.stack([one, two])[None])
    for layer in distill.STYLE_LAYERS:
        assert same[f"gram {layer}"] > 0.1 and same[f"difference {layer}"] < 1e-6, layer
        first, second = (gram_matrix(teacher.extract(each[None], [layer])[layer]) for each in (one, two))
        wanted = 2 * (first - second).square().sum() / (first.square().sum() + second.square().sum())
        torch.testing.assert_close(blind[f"difference {layer}"], wanted)


def test_a_train_step_pairs_canvases_with_their_styles():
    torch.manual_seed(0)
    train_step = distill.TrainStep(random_extractor(width=16), distill.Student(), *[_still_crops()] * 2, Workers(1), pairs=4, size=32)
    styles = [span["style"] for span in train_step.canvases.spans]
    pairs = train_step.draw()
    assert pairs.shape == (4, 2, 3, 32, 32)
    assert sum(any(torch.equal(pair[1:], style) for style in styles) for pair in pairs) >= 2


def _still_crops():
    return SimpleNamespace(batch=lambda count, size, scale: torch.rand(count, 3, size, size))


def test_a_blend_lies_between_a_network_and_its_further_trained_version(tmp_path):
    torch.manual_seed(0)
    files = [tmp_path / f"{name}.safetensors" for name in ("before", "after", "blended", "other")]
    for file, widths in zip(files, [(16, 8, 8, 8, 8)] * 2 + [(8, 8, 8, 8, 8)] * 2):
        distill.export(distill.Student(widths), file, {"command": file.stem})
    before, after, blended, other = files
    blend.blend(before, after, blended, 0.25)
    one, two, found = map(load_file, (before, after, blended))
    for name, tensor in found.items():
        assert tensor.dtype == torch.float16
        torch.testing.assert_close(tensor.float(), 0.75 * one[name].float() + 0.25 * two[name].float(), atol=1e-3, rtol=1e-3)
    with safe_open(blended, "pt") as file:
        assert file.metadata()["command"] == "after" and file.metadata()["pooling"] == "average"
    load_extractor("lite", blended, FP32)
    with pytest.raises(RequestError, match="before.safetensors and other.safetensors differ in shape"):
        blend.blend(before, other, blended)


def test_regressions_find_what_thumbnails_lack():
    draw = torch.Generator().manual_seed(0)
    codes, shown = torch.randn(4000, 6, generator=draw), torch.rand(4000, generator=draw)
    true = torch.randn(SHARPENING_TERMS, 6, 7, generator=draw)
    net = GeneratorNet(FP32).style
    net.sharpening = true
    wanted = torch.cat([net.sharpened(code[None], float(share)) for code, share in zip(codes, shown)])
    torch.testing.assert_close(sharpening.regressions(codes, wanted, shown, ridge=1e-6), true, atol=1e-3, rtol=1e-3)
    assert torch.equal(net.sharpened(codes[:1], 1.0), codes[:1])


def test_moments_mix_linearly():
    generator = torch.Generator().manual_seed(0)
    features = [{level: torch.rand(1, 4, 6, 6, generator=generator) for level in LEVELS} for _ in range(2)]
    one, two = map(Moments.of, features)
    both = Moments.of({level: torch.cat([f[level] for f in features], 3) for level in LEVELS})
    half = one.lerp(two, 0.5)
    for level in LEVELS:
        torch.testing.assert_close(half.grams[level], both.grams[level])
        torch.testing.assert_close(half.means[level], both.means[level])


def test_registering_records_hash_size_and_golden_figures(tmp_path, monkeypatch):
    from style_core.weights import registry as weights

    torch.manual_seed(0)
    distill.export(distill.Student(), tmp_path / "new.safetensors", {})
    (tmp_path / "registry.toml").write_text(
        '[lite]\nfile = "lite.safetensors"\nsha256 = ""\nbytes = 0\n\n[other]\nsha256 = "kept"\nbytes = 7\n'
    )
    monkeypatch.setattr(register, "MODELS", tmp_path)
    monkeypatch.setattr(
        register, "registry", lambda: {"lite": SimpleNamespace(file="lite.safetensors", sha256="old"), "vgg19": SimpleNamespace(sha256="")}
    )
    with pytest.raises(RequestError, match="vgg19 does not ship"):
        register.register("vgg19", tmp_path / "new.safetensors")
    register.register("lite", tmp_path / "new.safetensors")
    shipped = (tmp_path / "lite.safetensors").read_bytes()
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    save_file({"decoder.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name, said in (("broken", "can't be read as safetensors"), ("other", "not a file of lite")):
        with pytest.raises(RequestError, match=said):
            register.register("lite", tmp_path / f"{name}.safetensors")
    assert (tmp_path / "lite.safetensors").read_bytes() == shipped, "which was the only one"
    table = (tmp_path / "registry.toml").read_text()
    assert weights.sha256_of(tmp_path / "lite.safetensors") in table
    assert 'sha256 = "kept"\nbytes = 7' in table
    assert "relu5_1" in json.loads((tmp_path / "lite.golden.json").read_text())


def test_the_running_average_forgets_the_start_and_then_keeps_its_decay(tmp_path):
    net = nn.Linear(1, 1)
    net.bias.requires_grad_(False)
    average = running_average(net, 0.9)

    def update(value: float) -> float:
        net.weight.data.fill_(value)
        average.update_parameters(net)
        return average.module.weight.item()

    assert update(5.0) == 5.0, "the first weights replace those that the network began with"
    assert update(16.0) == pytest.approx(15.0), "one of eleven parts is kept of one update"
    for _ in range(200):
        update(0.0)
    assert update(1.0) == pytest.approx(0.1, abs=1e-6)
    assert torch.equal(average.module.bias, net.bias), "frozen weights stay"

    torch.save(average.state_dict(), tmp_path / "average.pt")
    resumed = running_average(nn.Linear(1, 1), 0.9)
    resumed.load_state_dict(torch.load(tmp_path / "average.pt", weights_only=True))
    resumed.update_parameters(net)
    average.update_parameters(net)
    assert torch.equal(resumed.module.weight, average.module.weight), "a run that resumes goes on with the same memory"


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (3, 3)])
def test_an_orthogonalized_matrix_keeps_its_directions_and_evens_their_sizes(shape):
    torch.manual_seed(0)
    left, sizes, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    result = orthogonalized(left * torch.linspace(0.2, 5, len(sizes)) @ right)
    turned = left.mT @ result @ right.mT
    assert (turned - turned.diagonal().diag()).abs().max() < 1e-4
    assert 0.6 < turned.diagonal().min() and turned.diagonal().max() < 1.3


@pytest.mark.slow
def test_muon_moves_vectors_as_adam_does_and_solves_a_skewed_problem():
    torch.manual_seed(0)
    # Least squares along directions that differ in size by 100 and are no axes.
    turn = torch.linalg.qr(torch.randn(16, 16)).Q
    inputs, wanted = torch.randn(64, 16) * torch.logspace(-1, 1, 16) @ turn, torch.randn(8, 16)

    def solved(optimizer: type, steps: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
        matrix, vector = nn.Parameter(torch.zeros(8, 16)), nn.Parameter(torch.ones(5))
        moved = optimizer([matrix, vector], lr=0.2, betas=(0.9, 0.99))
        for step in range(steps):
            moved.param_groups[0]["lr"] = 0.2 * (1 - step / steps)
            loss = (inputs @ (matrix - wanted).mT).square().mean() + (vector * torch.arange(5)).square().sum()
            moved.zero_grad()
            loss.backward()
            moved.step()
        return matrix.detach(), vector.detach()

    (matrix, vector), (_, adams_vector) = solved(Muon), solved(torch.optim.Adam)
    torch.testing.assert_close(vector, adams_vector, atol=1e-4, rtol=1e-3)
    assert (matrix - wanted).norm() < 0.05 * wanted.norm()


@pytest.mark.parametrize("cores", [1, 2, 3, 8])
def test_workers_add_up_to_one_pass(cores):
    torch.manual_seed(0)
    net, pictures = nn.Conv2d(3, 4, 3), torch.rand(5, 3, 9, 9)

    def losses(span: slice) -> dict[str, torch.Tensor]:
        seen = net(pictures[span])
        return {"size": seen.square().mean(), "mean": seen.mean()}

    whole = losses(slice(0, 5))
    whole["size"].backward()
    wanted = net.weight.grad.clone()
    net.zero_grad()
    means = Workers(cores).learn(losses, "size", 5)
    torch.testing.assert_close(net.weight.grad, wanted)
    assert means == pytest.approx({name: float(loss.detach()) for name, loss in whole.items()}, rel=1e-5)
