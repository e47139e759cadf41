"""predict.py: what is written of the results."""

import argparse
import json
import sys

import numpy as np
import pytest
from tool_runs import ROOT

cv2 = pytest.importorskip('cv2')


@pytest.fixture
def predict(monkeypatch):
    """The script as a module, which finds onnx_model.py beside it."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools/deployment'))
    for name in ('predict', 'onnx_model'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import predict

    yield predict
    for name in ('predict', 'onnx_model'):
        sys.modules.pop(name, None)


def annotations(path):
    images = [dict(id=70, file_name='a/one.jpg'), dict(id=71, file_name='two.jpg')]
    path.write_text(json.dumps(dict(images=images, categories=[dict(id=5, name='cat')])))
    return path


def result(name, category):
    return dict(image_id=0, file_name=name, category_id=0, category=category, score=0.5)


def test_ids_of_the_annotations(predict, tmp_path):
    table = [result('x/two.jpg', 'cat'), result('one.jpg', 'cat')]
    out = tmp_path / 'found.json'
    args = argparse.Namespace(ann=annotations(tmp_path / 'ann.json'), json=out, csv=None)
    predict.write_tables(table, args)
    assert [(x['image_id'], x['category_id']) for x in json.loads(out.read_text())] == [
        (71, 5),
        (70, 5),
    ]


def test_what_the_annotations_lack(predict, tmp_path):
    path = annotations(tmp_path / 'ann.json')
    with pytest.raises(ValueError, match='no image three.jpg'):
        predict.take_ids([result('three.jpg', 'cat')], path)
    with pytest.raises(ValueError, match='no category dog'):
        predict.take_ids([result('one.jpg', 'dog')], path)
    path.write_text('[1]')
    with pytest.raises(ValueError, match='COCO format'):
        predict.take_ids([], path)


def test_a_damaged_image_of_a_folder_is_left_out(predict, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / 'b.png'), np.zeros((4, 5, 3), np.uint8))
    (tmp_path / 'a.jpg').write_bytes(b'nothing')
    assert [name for name, _ in predict.frames(str(tmp_path))] == [str(tmp_path / 'b.png')]
    assert 'a.jpg' in capsys.readouterr().err


def test_pictures_of_one_name_are_all_kept(predict, tmp_path):
    writer = predict.Writer(tmp_path)
    for name in ('a/1.jpg', 'b/1.png'):
        writer.write(name, np.zeros((8, 8, 3), np.uint8))
    assert sorted(x.name for x in tmp_path.iterdir()) == ['1.jpg', '1_2.jpg']
