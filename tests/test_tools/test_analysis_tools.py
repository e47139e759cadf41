import json
import os
from types import SimpleNamespace

import cv2
import pytest
import torch


def test_complexity_stands_beside_the_paper(run_tool, tmp_path, capsys):
    file = tmp_path / 'counts.json'
    run_tool('analysis_tools/complexity.py', '--shape', '64', '64', '--json', file)
    rows = json.loads(file.read_text())
    printed = capsys.readouterr().out
    assert 'one multiply-add' in printed
    assert all(row['name'] in printed for row in rows)
    # Table 2: the four figures of M and L, and S, within 4 %
    paper = {row['paper_params'] for row in rows} - {None}
    assert paper >= {14e6, 5.7e6, 57e6, 21e6, 2.86e6}
    # the single-stage networks of Table 1
    assert paper >= {3.54e6, 4.35e6, 15.34e6, 13e6, 2.5e6}
    assert all(abs(row['deviation']) < 0.04 for row in rows if row['paper_params'])
    # known figures: torchvision's documentation
    params = {row['name']: row['params'] for row in rows}
    assert params['ResNet-18'] == 11689512
    assert params['ResNet-50'] == 25557032
    assert params['ResNet-101'] == 44549160


def test_complexity_of_a_missing_config(run_tool, capsys):
    with pytest.raises(SystemExit):
        run_tool('analysis_tools/complexity.py', '--config', 'gone.py')
    assert 'gone.py does not exist' in capsys.readouterr().err


def write_log(work_dir, time, first, last):
    folder = work_dir / time / 'vis_data'
    folder.mkdir(parents=True)
    lines = [
        dict(loss=1 / step, lr=0.1, step=step, epoch=1, iter=step)
        for step in range(first, last + 1)
    ]
    lines.append({'coco/bbox_mAP': last / 10, 'step': last})
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))


def test_curves_of_a_resumed_run(run_tool, tmp_path, monkeypatch):
    write_log(tmp_path / 'run', '20200101_000000', 1, 6)
    write_log(tmp_path / 'run', '20200102_000000', 5, 9)
    seen = {}
    import matplotlib.axes

    def plot(self, steps, values, **kwargs):
        seen[kwargs['label']] = list(steps)
        return original(self, steps, values, **kwargs)

    original = matplotlib.axes.Axes.plot
    monkeypatch.setattr(matplotlib.axes.Axes, 'plot', plot)
    out = tmp_path / 'curves.png'
    run_tool('analysis_tools/plot_log.py', tmp_path / 'run', '--smooth', '3', '--out', out)
    assert seen == {'run loss': list(range(1, 10)), 'run coco/bbox_mAP': [6, 9]}
    assert cv2.imread(str(out)) is not None


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['gone'], 'no vis_data/scalars.json below gone'),
        (['run', '--keys', 'acc*'], 'No key matches acc'),
        (['run', '--legend', 'a', 'b'], '1 runs need as many names'),
    ],
)
def test_wrong_arguments(arguments, message, run_tool, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_log(tmp_path / 'run', '20200101_000000', 1, 2)
    with pytest.raises(SystemExit):
        run_tool('analysis_tools/plot_log.py', *arguments)
    assert message in capsys.readouterr().err


def test_features_of_student_and_teacher(run_tool, tiny_coco, tmp_path, monkeypatch):
    from mmengine.registry import MODELS, init_default_scope
    from tiny_coco import tiny_config
    from tool_runs import dump_config

    from inrn_mm.visualization import features

    cfg = tiny_config(tiny_coco)
    teacher = dict(
        cfg['model'], backbone=dict(type='ResNet', depth=18, num_stages=4, out_indices=(0, 1, 2, 3))
    )
    teacher['neck'] = dict(teacher['neck'], in_channels=[64, 128, 256, 512])
    cfg['model'] = dict(
        type='KnowledgeDistiller',
        student=cfg['model'],
        teacher=teacher,
        allow_random_teacher=True,
        distill_losses=[dict(type='StageMSELoss', pairs=[(1, 1), (3, 3)])],
    )
    import mmdet.models  # noqa: F401

    init_default_scope('mmdet')
    model = MODELS.build(cfg['model'])
    torch.save(model.state_dict(), tmp_path / 'kd.pth')
    # not read without --allow-pickle
    torch.save(
        dict(state_dict=model.teacher.net.state_dict(), meta=SimpleNamespace()),
        tmp_path / 'teacher.pth',
    )
    cfg['model']['teacher_checkpoint'] = str(tmp_path / 'teacher.pth')

    drawn = {}

    def draw(rows, picture, out, pca):
        drawn.update(rows=rows, picture=picture)
        original(rows, picture, out, pca)

    original = features.draw_features
    monkeypatch.setattr(features, 'draw_features', draw)
    out = tmp_path / 'features.png'
    image = os.path.join(tiny_coco['img_dir'], '0000.png')
    run_tool(
        'visualize_features.py',
        dump_config(tmp_path / 'kd.py', cfg),
        tmp_path / 'kd.pth',
        image,
        '--out',
        out,
        '--allow-pickle',
    )
    assert cv2.imread(str(out)) is not None
    # 64 x 80 pixels, padded to 64 x 96; stages of strides 8 and 32
    assert drawn['picture'].shape == (64, 96, 3)
    assert (drawn['picture'][:, :80] == cv2.imread(image)[..., ::-1]).all()
    assert [[tuple(value.shape) for _, value in row] for row in drawn['rows']] == [
        [(8, 8, 12), (128, 8, 12)],
        [(16, 2, 3), (512, 2, 3)],
    ]
    assert [[name.split()[0] for name, _ in row] for row in drawn['rows']] == [
        ['student', 'teacher']
    ] * 2
