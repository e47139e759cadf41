"""export.py and predict.py."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tool_runs import ROOT, dump_config

from tools.deployment.comparing import Difference, check_equal
from tools.deployment.onnx_model import OnnxModel, paste, read_image

pytest.importorskip('mmdet')
pytest.importorskip('onnxscript')
onnxruntime = pytest.importorskip('onnxruntime')
sys.path.insert(0, str(Path(ROOT) / 'tests' / 'test_deployment'))
from exported_nets import CONFIGS, SIZE, picture, small_net  # noqa: E402

CLASSES = [f'class {i}' for i in range(80)]
# what a machine without them has: predict.py must not want them
BARE = """
import runpy, sys
for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'inrn_mm'):
    sys.modules[name] = None
sys.path.insert(0, {folder!r})
sys.argv = {argv!r}
runpy.run_path({script!r}, run_name='__main__')
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Checkpoint and config of a small Mask R-CNN, and images."""
    from inrn_mm.engine.config_file import read_config
    from tools.studies.mmdet_trials import shrink

    root = tmp_path_factory.mktemp('export')
    (root / 'images').mkdir()
    cv2.imwrite(str(root / 'images/a.png'), picture())
    cv2.imwrite(str(root / 'images/b.png'), picture((150, 100))[::-1])
    cfg = read_config(CONFIGS['INRN-M'])
    shrink(cfg.model)
    cfg.test_dataloader.dataset.pipeline[1].scale = (SIZE[1], SIZE[0])
    dump_config(root / 'net.py', cfg)
    meta = dict(dataset_meta=dict(classes=CLASSES))
    torch.save(dict(state_dict=small_net('INRN-M').state_dict(), meta=meta), root / 'net.pth')
    return root


@pytest.fixture(scope='module')
def files(folder):
    """The file."""
    command = [sys.executable, str(Path(ROOT) / 'tools/deployment/export.py')]
    command += [folder / 'net.py', folder / 'net.pth', '--out', folder / 'net.onnx', '--dynamic']
    command += ['--images', folder / 'images']
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT)
    assert 'equal to the network on 2 images' in done.stdout, done.stdout + done.stderr
    return folder


def bare(folder, *argv):
    script = str(Path(ROOT) / 'tools/deployment/predict.py')
    code = BARE.format(
        folder=str(Path(script).parent), argv=[script, *map(str, argv)], script=script
    )
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=folder)


def test_predict_needs_no_torch(files):
    done = bare(
        files, 'net.onnx', 'images', '--out', 'out', '--json', 'f.json', '--csv', 'f.csv',
        '--score', 0.05,
    )  # yapf: disable
    assert done.returncode == 0, done.stderr
    assert '2 images' in done.stdout and 'images/s' in done.stdout
    assert sorted(p.name for p in (files / 'out').iterdir()) == ['a.jpg', 'b.jpg']
    assert not np.array_equal(cv2.imread(str(files / 'out/a.jpg')), picture())
    rows = json.loads((files / 'f.json').read_text())
    assert {row['image_id'] for row in rows} == {0, 1}
    assert rows[0]['category'] in CLASSES and len(rows[0]['bbox']) == 4
    with (files / 'f.csv').open() as file:
        assert len(list(csv.DictReader(file))) == len(rows)


def test_video(files):
    writer = cv2.VideoWriter(str(files / 'v.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 5, (120, 90))
    for _ in range(3):
        writer.write(picture())
    writer.release()
    done = bare(files, 'net.onnx', 'v.mp4', '--out', 'video')
    assert done.returncode == 0 and '3 images' in done.stdout, done.stderr
    assert cv2.VideoCapture(str(files / 'video/v.mp4')).read()[1].shape == (90, 120, 3)


def test_boxes_are_of_the_image(files):
    """As mm's inferencer finds them, through its own pipeline."""
    from mmdet.apis import inference_detector, init_detector

    from inrn_mm.engine.config_file import read_config

    cfg = read_config(str(files / 'net.py'))
    model = init_detector(cfg, str(files / 'net.pth'), device='cpu', cfg_options={})
    exported = OnnxModel(files / 'net.onnx')
    assert exported.any_size and exported.classes == CLASSES
    for name in ('a.png', 'b.png'):
        image = read_image(files / 'images' / name)
        expected = inference_detector(model, image).pred_instances
        found = exported(image)
        assert len(found['scores']) == len(expected) > 10
        np.testing.assert_allclose(found['scores'][:10], expected.scores[:10], atol=1e-3)
        np.testing.assert_allclose(found['boxes'][:10], expected.bboxes[:10], atol=0.05)
        masks = expected.masks[:10].numpy()
        assert (found['masks'][:10] == masks).mean() > 0.999


def test_masks_are_laid_over_the_image_as_mmdet_does():
    from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask

    mask = torch.rand(1, 1, 28, 28)
    box = torch.tensor([[10.3, -4.0, 71.9, 55.5]])
    expected, _ = _do_paste_mask(mask, box, 60, 80, skip_empty=False)
    found = paste(mask[0, 0].numpy(), box[0].numpy(), (60, 80))
    np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-4)


def test_a_file_that_differs_is_refused():
    far = Difference('far.jpg', boxes=3.0)
    with pytest.raises(ValueError, match='differ, most on far.jpg: boxes 3 pixels.*not kept'):
        check_equal([Difference('near.jpg', boxes=0.01), far])
    assert check_equal([far], factor=10) is far
    with pytest.raises(ValueError, match='3 of 100 objects in one only'):
        check_equal([Difference('lost.jpg', lost=3, objects=100)])
    check_equal([Difference('lost.jpg', lost=1, objects=100)])


def test_mistakes_get_a_sentence(files, tmp_path):
    def says(text, *argv):
        done = bare(files, *argv)
        assert done.returncode == 1 and text in done.stderr, done.stderr
        assert 'Traceback' not in done.stderr

    says('There is no file gone.onnx', 'gone.onnx', 'images')
    says('There is no gone.jpg', 'net.onnx', 'gone.jpg')
    (tmp_path / 'empty').mkdir()
    says('There is no image below', 'net.onnx', tmp_path / 'empty')
    (tmp_path / 'torn.jpg').write_bytes(b'\xff\xd8 torn')
    says('is no image that OpenCV reads', 'net.onnx', tmp_path / 'torn.jpg')
    (tmp_path / 'torn.onnx').write_bytes((files / 'net.onnx').read_bytes()[:5000])
    says('cannot be read by onnxruntime', tmp_path / 'torn.onnx', 'images')


def test_gray_images_and_others_files(files, tmp_path):
    cv2.imwrite(str(tmp_path / 'gray.png'), picture()[..., 0])
    assert read_image(tmp_path / 'gray.png').shape == (90, 120, 3)
    with pytest.raises(ValueError, match=r'must be \(height, width, 3\) of uint8'):
        OnnxModel(files / 'net.onnx')(picture()[..., 0])
    import onnx

    model = onnx.load(files / 'net.onnx')
    del model.metadata_props[:]
    onnx.save(model, tmp_path / 'other.onnx')
    with pytest.raises(ValueError, match='does not say how images are prepared'):
        OnnxModel(tmp_path / 'other.onnx')


def test_no_images_to_compare_on(folder, tmp_path):
    command = [sys.executable, str(Path(ROOT) / 'tools/deployment/export.py')]
    command += [folder / 'net.py', folder / 'net.pth', '--out', tmp_path / 'a.onnx']
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode and 'name images or a folder of them by --images' in done.stderr
    assert not list(tmp_path.glob('*.onnx'))
    shutil.rmtree(tmp_path)
