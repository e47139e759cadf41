"""Reading what mmengine has logged."""

import json

from inrn_mm.utils.logs import find_logs, read_scalars


def write_log(folder, points, **metrics):
    """A log of (iteration, loss), and one evaluation, cut off by a kill."""
    file = folder / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    lines = [dict(step=i, time=0.5, loss=v + 1, loss_cls=v, loss_kd=1.0) for i, v in points]
    lines.append(dict({'coco/bbox_mAP': 0.5, 'step': 2}, **metrics))
    file.write_text('\n'.join([*map(json.dumps, lines), '{"step": 40, "lo']))
    return file


def test_logs_of_a_resumed_training_count_each_iteration_once(tmp_path):
    write_log(tmp_path / '20250101_000000', [(8, 1.0), (16, 2.0), (24, 9.0)])
    write_log(tmp_path / '20250101_000100', [(24, 3.0), (32, 4.0)])
    train, val = read_scalars(tmp_path)
    assert [line['iter'] for line in train] == [8, 16, 24, 32]
    assert [line['iterations'] for line in train] == [8] * 4
    assert [line['losses']['loss_cls'] for line in train] == [1, 2, 3, 4]
    assert val == [{'coco/bbox_mAP': 0.5, 'step': 2, 'iter': 32}]


def test_what_was_undone_and_tests_do_not_count(tmp_path):
    write_log(tmp_path / '1', [(8, 1.0), (16, 2.0), (24, 9.0)], step=3)
    file = write_log(tmp_path / '2', [(8, 5.0)], step=1)
    write_log(tmp_path / '3', [], step=0)  # of tools/test.py
    train, val = read_scalars(tmp_path)
    assert [line['losses']['loss_cls'] for line in train] == [5]
    assert [line['step'] for line in val] == [1]
    assert read_scalars(file) == read_scalars(tmp_path / '2') == (train, val)
    assert find_logs(tmp_path / 'gone') == []
