"""Measures of the benchmarks against what is known: equal pictures, shifted features, one patch copied everywhere."""

import torch

from benchmarks.measures import matches, sliced_wasserstein, structure


def features(count: int = 400, channels: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, channels, generator=torch.Generator().manual_seed(seed))


def test_equal_features_have_full_fidelity_and_coverage_and_no_distance():
    style = features()
    fidelity, coverage = matches(style, style)
    assert fidelity > 0.999 and coverage > 0.999
    assert sliced_wasserstein(style, style) == 0
    assert structure(style, style) > 0.999


def test_one_feature_copied_everywhere_is_faithful_and_covers_little():
    style = features()
    fidelity, coverage = matches(style[:1].expand(400, -1), style)
    assert fidelity > 0.999 and coverage < 0.2


def test_a_shift_by_one_deviation_in_every_direction_has_its_length_as_distance():
    style = features(20000, 3)
    shifted = style + torch.tensor([1.0, 0, 0])
    # The mean of |cos| over directions on the sphere is a half.
    assert abs(sliced_wasserstein(shifted, style) - 0.5) < 0.06


def test_structure_does_not_care_for_scale_and_falls_for_other_places():
    photo = features()
    assert structure(3 * photo, photo) > 0.999
    assert abs(structure(photo[torch.randperm(400, generator=torch.Generator().manual_seed(1))], photo)) < 0.1
