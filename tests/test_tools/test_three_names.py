"""Student, teacher and method on the command line."""

import copy
import json

import pytest
import torch
from mmengine.config import Config
from tiny_coco import CLASSES, make_tiny_coco, tiny_config
from tool_runs import dump_config, logged

pytest.importorskip('mmdet')
RANDOM = 'model.allow_random_teacher=True'


@pytest.fixture(scope='module')
def names(tiny_coco, tmp_path_factory):
    """Config files of a student and of a teacher, and the teacher's weights."""
    from mmengine.registry import MODELS, DefaultScope

    folder = tmp_path_factory.mktemp('names')
    # random weights are no better than random
    hooks = [dict(type='TeacherCheckHook', num_batches=0)]
    cfg = dict(tiny_config(tiny_coco, epochs=1), custom_hooks=hooks)
    student = dump_config(folder / 'student.py', cfg)
    other = copy.deepcopy(cfg)
    other['model']['backbone'] = dict(
        type='INRN', arch=dict(widths=[8, 8, 16, 16], depths=[1, 1, 1, 1])
    )
    teacher = dump_config(folder / 'teacher.py', other)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(teacher).model)
        torch.save(model.state_dict(), folder / 'teacher.pth')
    return student, teacher, str(folder / 'teacher.pth')


def test_a_training_by_three_names(names, run_tool, tmp_path, monkeypatch, capsys):
    """What it writes runs alone, and its weights are the plain student's."""
    student, teacher, weights = names
    monkeypatch.chdir(tmp_path)
    run_tool('train.py', student, '--teacher', teacher, weights, '--method', 'pkd', 'kd')
    work_dir = tmp_path / 'work_dirs' / 'student_pkd_kd'
    lines = logged(work_dir)
    assert {'loss_pearson.neck[0]', 'loss_logit_kd.roi_head.bbox_head.fc_cls'} <= set(lines[0])
    dumped = Config.fromfile(work_dir / 'student.py').model
    assert dumped.type == 'KnowledgeDistiller' and [m.type for m in dumped.method] == ['pkd', 'kd']
    assert f'weights from {weights}' in capsys.readouterr().out
    run_tool('test.py', student, work_dir / 'epoch_1.pth', '--work-dir', tmp_path / 'tested')
    assert 'coco/bbox_mAP' in json.dumps(logged(tmp_path / 'tested') or lines)


def test_pairs_are_printed(names, run_tool, capsys):
    student, teacher, weights = names
    flags = ['--teacher', teacher, weights, '--method', 'pkd', '--print-pairs']
    run_tool('train.py', student, *flags, '--cfg-options', 'model.method.weight=3')
    out = capsys.readouterr().out
    assert '│ pearson │ 3' in out and 'neck[3]' in out
    space: dict = {}
    exec(out[out.index('distill_losses = ') :], space)
    (loss,) = space['distill_losses']
    assert (loss['type'], loss['weight'], len(loss['pairs'])) == ('PearsonLoss', 3, 4)


def test_options_of_the_student_stay_as_they_are(names, run_tool, capsys):
    student, teacher, _ = names
    options = ['--cfg-options', 'model.neck.num_outs=4', 'model.task_weight=0.5', RANDOM]
    run_tool(
        'train.py', student, '--teacher', teacher, '--method', 'cwd', '--print-pairs', *options
    )
    out = capsys.readouterr().out
    assert 'neck[3]' in out and 'neck[4]' not in out and 'task_weight = 0.5' in out


def test_a_teacher_of_other_classes(names, run_tool, tmp_path, capsys):
    """Found by the names in both configs."""
    student, _, _ = names
    others = ('disc', 'star', 'box')
    cfg = tiny_config(make_tiny_coco(tmp_path, num_images=2, classes=others), epochs=1)
    cfg['train_dataloader']['dataset']['metainfo'] = dict(classes=others)
    teacher = dump_config(tmp_path / 'other.py', cfg)
    assert CLASSES == ('box', 'disc', 'triangle')
    flags = ['--teacher', teacher, '--method', 'kd', '--print-pairs', '--cfg-options', RANDOM]
    run_tool('train.py', student, *flags)
    out = capsys.readouterr().out
    space: dict = {}
    exec(out[out.index('class_map = ') :], space)
    assert space['class_map'] == dict(teacher=[2, 0, -1])


@pytest.mark.parametrize(('flags', 'text'), [
    (['--method', 'pkd'], '--method pkd needs a teacher: give its config by --teacher'),
    (['--teacher', 'a.py', 'b.pth', 'c.py'], '--teacher takes a config and a checkpoint, got a.py'),
    (['--teacher', 'mmdet::gone.py', '--method', 'pkd'], "no config 'gone.py'"),
    (['--print-pairs'], 'distils nothing: give --teacher and --method'),
])  # yapf: disable
def test_wrong_names(names, run_tool, capsys, flags, text):
    with pytest.raises(SystemExit):
        run_tool('train.py', names[0], *flags)
    assert text in capsys.readouterr().err


def test_published_weights_without_a_network(names, run_tool, tmp_path, monkeypatch, capsys):
    """One sentence with the URL and where to put the file."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(
        'inrn_mm.engine.checkpoints.downloads._try_download', lambda *_: OSError('x')
    )
    flags = ['--teacher', 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', '--method', 'inrn']
    with pytest.raises(SystemExit):
        run_tool('train.py', names[0], *flags, '--work-dir', tmp_path / 'work')
    err = capsys.readouterr().err
    assert 'Cannot download https://' in err and 'retinanet_r18_fpn_1x_coco' in err
    assert f'put it at {tmp_path}/hub/checkpoints/retinanet_r18' in err
