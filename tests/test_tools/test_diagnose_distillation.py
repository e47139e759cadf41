"""tools/analysis_tools/diagnose_distillation.py on tiny networks, and its parts."""

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from test_classifier import config  # noqa: F401, a fixture
from tiny_coco import tiny_config, tiny_faster_rcnn
from tool_runs import dump_config

import inrn_mm  # noqa: F401
from tools.diagnosis.linear_map import Moments, explained, paired_rows
from tools.diagnosis.predictions import Agreement, renumber
from tools.diagnosis.verdict import conclude

TOOL = 'analysis_tools/diagnose_distillation.py'
WIDTHS = (8, 8, 16, 16)
LOSSES = [
    dict(type='PearsonLoss', pairs=[('neck[0]', 'neck[0]')], weight='auto:0.1'),
    dict(
        type='LogitKDLoss',
        pairs=[('roi_head.bbox_head.fc_cls',) * 2],
        same_proposals=True,
        weight=1e-6,
    ),
]


# --- the parts ----------------------------------------------------------------
def moments(count, noise, seed, width=4):
    """Of y = x A + 3 + noise."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, width, generator=generator)
    a = torch.linspace(-1, 1, width * 3).view(width, 3)
    y = x @ a + 3 + noise * torch.randn(count, 3, generator=generator)
    found = Moments()
    for part in (slice(0, count // 2), slice(count // 2, None)):
        found.add(x[part], y[part])
    return found, x, y


def test_a_linear_map_explains_what_is_linear():
    parts = [moments(400, 0.5, seed) for seed in range(3)]
    found = explained(*(part[0] for part in parts))
    x, y = (torch.cat([part[i] for part in parts[:2]]).double() for i in (1, 2))
    ones = torch.ones(len(x), 1).double()
    coefficients = torch.linalg.lstsq(torch.cat([x, ones], 1), y).solution
    x, mean, y = parts[2][1].double(), y.mean(0), parts[2][2].double()
    rest = (y - mean).square().sum()
    error = (y - torch.cat([x, ones[: len(x)]], 1) @ coefficients).square().sum()
    assert found['r2'] == pytest.approx(float(1 - error / rest), abs=1e-3)
    assert found['constant'] == pytest.approx(float(1 - rest / y.square().sum()), abs=1e-6)
    assert 0.5 < found['r2'] < 0.9


def test_noise_is_not_explained_on_held_out_places():
    """Of as many channels as places, where the fit itself is perfect."""
    parts = []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        parts.append(Moments())
        parts[-1].add(*(torch.randn(40, 40, generator=generator) for _ in range(2)))
    assert explained(*parts)['r2'] < 0.1


def test_places_of_two_sizes():
    own, other = torch.rand(2, 3, 8, 8), torch.rand(2, 5, 4, 4)
    x, y = paired_rows(own, other)
    assert x.shape == (32, 3) and y.shape == (32, 5)
    torch.testing.assert_close(x[1], own[0, :, :2, 2:4].mean((1, 2)))
    torch.testing.assert_close(y[1], other[0, :, 0, 1])
    assert paired_rows(torch.rand(2, 3), torch.rand(4, 3)) is None


def boxes(*rows):
    rows = torch.tensor(rows).view(-1, 6)
    instances = InstanceData(bboxes=rows[:, :4], scores=rows[:, 4], labels=rows[:, 5].long())
    return Sample(pred_instances=instances)


class Sample(SimpleNamespace):
    def __contains__(self, name):
        return hasattr(self, name)


def test_agreement_of_boxes():
    agreement = Agreement()
    own = boxes([0, 0, 10, 10, 0.9, 0], [20, 20, 30, 30, 0.9, 1], [40, 40, 50, 50, 0.1, 1])
    other = boxes([0, 0, 10, 9, 0.9, 0], [20, 20, 31, 30, 0.9, 0], [40, 40, 50, 50, 0.9, 1])
    agreement.add([own], [other])
    found = agreement.report()
    assert (found['found'], found['same_class']) == (2 / 3, 0.5)


def test_predictions_in_the_students_classes():
    """The student's classes are 2, none and 0 of the teacher."""
    class_map = [2, -1, 0]
    sample = renumber(Sample(pred_score=torch.tensor([0.2, 0.7, 0.1])), class_map)
    assert sample.pred_score.tolist() == pytest.approx([0.1, -torch.inf, 0.2])
    assert sample.pred_label.tolist() == [2]
    sample = renumber(boxes(*([0, 0, 1, 1, 0.5, label] for label in range(3))), class_map)
    assert sample.pred_instances.labels.tolist() == [2, 0]


def pair(name='a', ratio=0.1, cosine=0.2, r2=0.5, enough=True):
    return dict(
        name=name,
        gradient_ratio=dict(mean=ratio, std=0.0, batches=9),
        cosine=dict(mean=cosine, std=0.01, batches=9),
        r2=r2,
        enough_places=enough,
        reason='',
    )


def said(pairs, own=0.5, other=0.6, reason='', key='coco/bbox_mAP'):
    metrics = [None if value is None else {key: value} for value in (own, other)]
    return conclude(
        dict(
            student=dict(metrics=metrics[0], reason=reason),
            teachers=dict(teacher=dict(metrics=metrics[1], reason='')),
            pairs=pairs,
            checkpoint='a.pth',
        )
    )


@pytest.mark.parametrize(
    ('kwargs', 'text'),
    [
        (dict(), 'The teacher is better than the student: coco/bbox_mAP 0.600 against 0.500'),
        (dict(own=0.557, other=0.563), 'no better than the student: .* less than a point'),
        (dict(own=50.0, other=50.6, key='accuracy/top1'), 'no better .* less than a point'),
        (dict(own=0.001, other=0.004), 'Neither the teacher nor the student knows these images'),
        (dict(own=0.7), r'worse than the student: .* \(-0\.100\)'),
        (dict(own=None, reason='none was given'), r'not known: none was given .* is 0\.600'),
    ],
)
def test_first_sentence(kwargs, text):
    import re

    assert re.search(text, said([pair()], **kwargs)[0])


@pytest.mark.parametrize(
    ('kwargs', 'number', 'text'),
    [
        (dict(ratio=0.001), 1, 'gradient of a and 1 more is 1000 times smaller'),
        (dict(ratio=8.0), 1, "8.0 times the task's and drowns it"),
        (dict(cosine=-0.4), 1, 'points against the task (cosine -0.40)'),
        (dict(), 1, "gradients are 0.1 of the task's"),
        (dict(r2=0.95), 2, "explains 95% of the teacher's at a and 1 more: there is nothing left"),
        (dict(r2=-0.2), 2, 'no linear map'),
        (dict(r2=-0.2, enough=False), 2, 'too few places'),
        (dict(), 2, 'explains 0.5 of the variation'),
    ],
)
def test_other_sentences(kwargs, number, text):
    assert text.lower() in said([pair(**kwargs), pair('b', **kwargs)])[number].lower()


# --- the whole ----------------------------------------------------------------
@pytest.fixture(scope='module')
def distilled(tiny_coco, tmp_path_factory):
    """A distilled detector, and random weights of its student and teacher."""
    folder = tmp_path_factory.mktemp('diagnosis')
    cfg = tiny_config(tiny_coco)
    cfg['train_dataloader']['batch_size'] = 1
    teacher = tiny_faster_rcnn(
        dict(type='INRN', arch=dict(widths=WIDTHS[::-1], depths=(1, 1, 1, 1))), WIDTHS[::-1]
    )
    for name, model in (('student', cfg['model']), ('teacher', teacher)):
        with MODELS.switch_scope_and_registry('mmdet'):
            net = MODELS.build(Config(model)._cfg_dict)
        torch.save(net.state_dict(), folder / f'{name}.pth')
    cfg['model'] = dict(
        type='KnowledgeDistiller',
        student=cfg['model'],
        teacher=teacher,
        teacher_checkpoint=str(folder / 'teacher.pth'),
        distill_losses=LOSSES,
    )
    return dump_config(folder / 'distilled.py', cfg), folder


def test_a_detector(distilled, run_tool, tmp_path, capsys):
    distilled_config, folder = distilled
    out = tmp_path / 'why.json'
    run_tool(TOOL, distilled_config, folder / 'student.pth', '--num-batches', 5, '--out', out)
    shown = ' '.join(capsys.readouterr().out.split())
    found = json.loads(out.read_text())
    for entry in (found['student'], found['teachers']['teacher']):
        assert 'coco/bbox_mAP' in entry['metrics']
    assert found['num_batches'] == 5
    first, second = found['pairs']
    assert first['gradient_ratio'] == dict(mean=0.1, std=0.0, batches=5)
    assert 0 < second['gradient_ratio']['mean'] < 0.01
    assert all(abs(one['cosine']['mean']) <= 1 and one['r2'] < 1 for one in found['pairs'])
    assert len(found['verdict']) == 3 and all(text in shown for text in found['verdict'])
    assert 'the student knows these images' in found['verdict'][0]
    assert "times smaller than the task's" in found['verdict'][1]


def test_a_quick_look_of_a_student_under_itself(distilled, run_tool, tmp_path):
    """At the beginning of a training, and with no teacher at all."""
    out = tmp_path / 'why.json'
    cfg = Config.fromfile(distilled[0])
    cfg.model.distill_losses = [dict(type='StageMSELoss', pairs=[(0, 1)], teacher='self')]
    cfg.model.teacher = cfg.model.teacher_checkpoint = None
    cfg.dump(tmp_path / 'self.py')
    run_tool(TOOL, tmp_path / 'self.py', '--no-metrics', '--num-batches', 4, '--out', out)
    found = json.loads(out.read_text())
    assert found['student'] == dict(metrics=None, reason='--no-metrics was given')
    assert found['verdict'][0].startswith('The student is its own teacher')
    assert '(of a student that is not trained)' in found['verdict'][2]


def test_a_teacher_of_other_classes_has_no_metric(distilled, run_tool, tmp_path):
    out = tmp_path / 'why.json'
    cfg = Config.fromfile(distilled[0])
    cfg.model.teacher.roi_head.bbox_head.num_classes = 5
    cfg.model.allow_random_teacher, cfg.model.teacher_checkpoint = True, None
    cfg.model.distill_losses = LOSSES[:1]
    cfg.dump(tmp_path / 'other.py')
    run_tool(
        *(TOOL, tmp_path / 'other.py', distilled[1] / 'student.pth'),
        *('--num-batches', 4, '--out', out),
    )
    found = json.loads(out.read_text())
    teacher = found['teachers']['teacher']
    assert teacher['metrics'] is None and teacher['random_weights']
    assert "classes are others than the student's (5 and 3)" in found['verdict'][0]


def test_a_classifier(config, run_tool, tmp_path):  # noqa: F811
    out = tmp_path / 'why.json'
    options = ('model.allow_random_teacher=True', 'train_dataloader.batch_size=1')
    run_tool(
        *(TOOL, config, '--teacher', config, '--method', 'kd', '--no-metrics', '--out', out),
        *('--num-batches', 4, '--cfg-options', *options),
    )
    found = json.loads(out.read_text())
    agreement = found['teachers']['teacher']['agreement']
    assert agreement['kind'] == 'top-1' and agreement['compared'] == 6
    assert found['pairs'][0]['name'] == 'logit_kd.head.fc'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{plain}'], 'distils nothing: give --teacher and --method'),
        (['{config}', '--num-batches', '3'], '--num-batches must be at least 4'),
        (
            ['{config}', '--no-metrics', '--cfg-options', 'train_dataloader.batch_size=3'],
            'training set has 2 batches, and 4 are needed',
        ),
    ],
)
def test_mistakes(arguments, message, distilled, tiny_coco, run_tool, tmp_path, capsys):
    plain = dump_config(tmp_path / 'plain.py', tiny_config(tiny_coco))
    arguments = [text.format(plain=plain, config=distilled[0]) for text in arguments]
    with pytest.raises(SystemExit) as info:
        run_tool(TOOL, *arguments)
    assert info.value.code == 2
    assert message in ' '.join(capsys.readouterr().err.split())
