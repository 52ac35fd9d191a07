"""A student initialized from its teacher, in closed form."""

import torch
from networks import FP32, picture, random_extractor

from style_core.networks.extractor import FeatureExtractor, vgg_layers
from style_core.training.layerwise import fit_rectified, init_from_teacher, spanning_channels


def test_chosen_channels_span_the_others():
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(200, 3, generator=generator)
    features = torch.cat([0.1 * base[:, :1], base @ torch.randn(3, 5, generator=generator), base[:, 1:]], 1)
    chosen = features[:, spanning_channels(features, 3)]
    rest = features - chosen @ torch.linalg.lstsq(chosen, features).solution
    assert rest.norm() < 1e-4 * features.norm()
    assert len(set(spanning_channels(features, 8))) == 8, "no channel twice, though three explain them all"


def test_only_rectified_answers_are_fitted():
    """Answers below zero are spoilt, which rectified can't be seen: plain least squares suffers from it far more."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2000, 6, generator=generator)
    answers = inputs @ torch.randn(6, 4, generator=generator) + torch.randn(4, generator=generator)
    spoilt = torch.where(answers < 0, 4 * answers, answers)
    ones = torch.cat([inputs, torch.ones(2000, 1)], 1)
    plain = (ones @ torch.linalg.lstsq(ones, spoilt).solution).relu()
    weight, bias = fit_rectified(inputs, spoilt)
    found = (inputs @ weight.mT + bias).relu()
    assert (found - answers.relu()).norm() < 0.6 * (plain - answers.relu()).norm()
    weight, bias = fit_rectified(inputs, answers)
    assert ((inputs @ weight.mT + bias).relu() - answers.relu()).norm() < 1e-3 * answers.norm()


def test_a_student_as_wide_as_its_teacher_has_its_features():
    teacher = random_extractor()
    student = FeatureExtractor("student", vgg_layers([8] * 5)[:12], FP32)
    init_from_teacher(student, (teacher,), [torch.stack([picture(64, 64, seed), picture(64, 64, seed + 1)]) for seed in (0, 2, 4)])
    unseen = picture(64, 64, 9)[None]
    with torch.no_grad():
        for layer in ("relu1_2", "relu2_2", "relu3_1"):
            mine, theirs = (network.extract(unseen, [layer])[layer][0].flatten(1).mT for network in (student, teacher))
            # Channels may come in another order and at another size, so a linear map stands between the two.
            rest = theirs - mine @ torch.linalg.lstsq(mine, theirs).solution
            assert rest.norm() < 0.05 * theirs.norm(), layer


def test_a_narrow_student_keeps_most_of_it_and_its_channels_are_of_one_size():
    teacher = random_extractor(width=16)
    student = FeatureExtractor("student", vgg_layers([12] * 5)[:12], FP32)
    batches = [torch.stack([picture(64, 64, seed), picture(64, 64, seed + 1)]) for seed in (0, 2, 4)]
    init_from_teacher(student, (teacher,), batches)
    with torch.no_grad():
        mine, theirs = (network.extract(batches[0], ["relu3_1"])["relu3_1"] for network in (student, teacher))
    flat = mine.transpose(0, 1).flatten(1).mT
    wanted = theirs.transpose(0, 1).flatten(1).mT
    rest = wanted - flat @ torch.linalg.lstsq(flat, wanted).solution
    assert rest.norm() < 0.5 * wanted.norm()
    sizes = flat.square().mean(0).sqrt()
    assert 0.5 < sizes.min() and sizes.max() < 2
