"""Every injected fault ends in a sentence or does no harm."""

import pytest
from faults.areas import AREAS
from faults.injection import inject


def check(area, count, folder, seed):
    tallies = inject(area, count, folder, seed)
    lost = {kind: tally.lost[:3] for kind, tally in tallies.items() if tally.lost}
    assert tallies and not lost


@pytest.mark.parametrize('name', AREAS)
def test_a_few_faults(name, tmp_path):
    area, few, _ = AREAS[name]
    check(area, few, tmp_path, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize('name', AREAS)
def test_many_faults(name, tmp_path):
    area, _, many = AREAS[name]
    check(area, many, tmp_path, seed=1)
