"""Whether verdicts over seeds are right as often as they say."""

import json

import numpy as np
import pytest
from scipy import stats

from tools.studies.image_bootstrap import compare_detections
from tools.studies.paired_statistics import (
    compare_pairs,
    holm,
    judge,
    sign_test,
    smallest_detectable,
)


def verdicts(shift, count, trials=400, gain=0.0):
    """Judge pairs that share most of their noise, as seeds do."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(trials):
        old = rng.normal(size=count)
        new = 0.8 * old + 0.3 * rng.normal(size=count) + shift
        found.append(compare_pairs(dict(enumerate(new)), dict(enumerate(old)), gain)['verdict'])
    return np.array(found)


@pytest.mark.parametrize('count', [2, 3, 5])
def test_nulls_are_seldom_better(count):
    found = verdicts(0.0, count)
    # of 400, 2.5 % are expected; 5 % are three standard errors away
    assert (found == 'better').mean() <= 0.05
    assert (found == 'worse').mean() <= 0.05


def test_a_gain_below_the_threshold_is_not_better():
    assert (verdicts(0.3, 5, gain=0.5) == 'better').mean() <= 0.01


def test_known_gains_are_found():
    # differences have a deviation of 0.36; this is twice it
    found = verdicts(0.72, 5)
    assert (found == 'better').mean() > 0.8
    assert not (found == 'worse').any()


def test_smallest_detectable_is_found_four_times_in_five():
    shift = smallest_detectable(0.36, 5)
    assert (verdicts(shift, 5) == 'better').mean() == pytest.approx(0.8, abs=0.06)


def test_pairs_beat_means():
    """What both runs of a seed share cancels; the mean over other seeds has it all."""
    old = {seed: 0.1 * seed for seed in range(5)}
    new = {seed: 0.1 * seed + 0.01 + 0.001 * (-1) ** seed for seed in range(5)}
    found = compare_pairs(new, old)
    assert found['verdict'] == 'better'
    assert stats.ttest_ind(list(new.values()), list(old.values())).pvalue > 0.9
    expected = stats.ttest_1samp(found['differences'], 0).confidence_interval()
    assert (found['low'], found['high']) == pytest.approx(tuple(expected))
    assert found['sign_p'] == pytest.approx(2 / 2**5)


def test_equal_runs_are_no_difference():
    runs = dict.fromkeys(range(5), 0.3)
    found = compare_pairs(runs, runs)
    assert (found['low'], found['high'], found['p']) == (0, 0, 1)
    assert found['verdict'] == 'no difference'


def test_a_coarse_metric_gives_no_verdict():
    """Two gains of one image each have no deviation, which is no certainty."""
    for new, old in (({0: 3, 1: 5}, {0: 2, 1: 4}), ({0: 0.3, 1: 0.5}, {0: 0.25, 1: 0.45})):
        found = compare_pairs(new, old)
        assert found['std'] == 0 and found['p'] is None
        assert found['verdict'] == 'no difference shown'


def test_one_pair_and_other_seeds():
    found = compare_pairs({0: 0.5, 7: 1.0}, {0: 0.3, 1: 0.1})
    assert found['seeds'] == [0] and found['low'] is None
    assert found['verdict'] == 'one seed: no verdict'


@pytest.mark.parametrize(
    'low, high, gain, expected',
    [
        (0.1, 0.2, 0.0, 'better'),
        (0.1, 0.2, 0.15, 'no difference shown'),
        (0.1, 0.2, 0.2, 'no difference'),
        (-0.2, -0.1, 0.0, 'worse'),
        (-0.1, 0.1, 0.0, 'no difference shown'),
    ],
)
def test_judgement(low, high, gain, expected):
    assert judge(low, high, gain) == expected
    mirrored = dict(better='worse', worse='better').get(expected, expected)
    assert judge(-high, -low, gain) == mirrored
    assert judge(-high, -low, gain, lower_is_better=True) == expected


def test_signs_and_holm():
    assert sign_test([1, 2, 0, 3]) == pytest.approx(0.25)
    assert sign_test([0, 0]) == 1
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])


# --- images -------------------------------------------------------------------
@pytest.fixture
def detections(tmp_path):
    """Boxes of two classes on twelve images, and detections of two qualities."""
    rng = np.random.default_rng(0)
    boxes = [
        dict(id=i + 1, image_id=i // 3, category_id=i % 2, bbox=[10, 10 + 30 * (i % 3), 20, 20])
        for i in range(36)
    ]
    truth = dict(
        images=[dict(id=i, width=100, height=100) for i in range(12)],
        categories=[dict(id=i, name=str(i)) for i in range(2)],
        annotations=[dict(box, area=400, iscrowd=0) for box in boxes],
    )
    files = [tmp_path / 'truth.json']
    files[0].write_text(json.dumps(truth))
    for noise in (1, 4):
        found = [
            dict(
                image_id=box['image_id'],
                category_id=box['category_id'],
                bbox=(np.array(box['bbox']) + noise * rng.normal(size=4)).tolist(),
                score=rng.random(),
            )
            for box in boxes[noise:]
        ]
        files.append(tmp_path / f'{noise}.json')
        files[-1].write_text(json.dumps(found))
    return files


def test_bootstrap_has_the_value_of_pycocotools(detections, capsys):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, good, bad = detections
    found = compare_detections(truth, good, bad, samples=50)
    for path, value in ((good, found['new']), (bad, found['old'])):
        coco = COCO(str(truth))
        evaluation = COCOeval(coco, coco.loadRes(str(path)), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert value == pytest.approx(evaluation.stats[0], abs=1e-9)
    assert found['images'] == 12 and found['low'] < found['difference'] < found['high']
    assert found['low'] > 0  # box noise of 1 against 4 pixels


def test_bootstrap_of_equal_detections_is_zero(detections):
    truth, good, _ = detections
    found = compare_detections(truth, good, good, samples=20)
    assert found['difference'] == found['low'] == found['high'] == 0
