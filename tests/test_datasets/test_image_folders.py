"""Folders of images as they are found."""

import numpy as np
import pytest
from mmengine.config import ConfigDict
from mmengine.registry import DATASETS
from PIL import Image

import inrn_mm  # noqa: F401
from inrn_mm.datasets import ImageFolders
from inrn_mm.datasets.checks.paths import check_data_paths

LOAD = dict(type='LoadImageFromFile')


@pytest.fixture
def told(monkeypatch):
    """What is logged."""
    lines = []
    monkeypatch.setattr(
        'inrn_mm.datasets.image_folders.print_log', lambda text, *_: lines.append(text)
    )
    return lines


def picture(path, value=7):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((9, 12, 3), value, np.uint8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Three good images, three broken ones, and what is none."""
    picture(tmp_path / 'b.PNG')
    picture(tmp_path / 'deep' / 'er' / 'a.jpg')
    picture(tmp_path / 'other' / 'c.webp')
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / 'empty.jpg').touch()
    (tmp_path / 'text.png').write_text('no image either')
    whole = picture(tmp_path / 'cut.jpg').read_bytes()
    (tmp_path / 'cut.jpg').write_bytes(whole[:-200])
    return tmp_path


def test_all_images_below_it_and_broken_ones_told(folder, told):
    dataset = ImageFolders(str(folder))
    names = [dataset.get_data_info(i)['img_path'].split('/')[-1] for i in range(len(dataset))]
    assert names == ['b.PNG', 'a.jpg', 'c.webp']
    (text,) = told
    assert '3 of 6 images are left out' in text
    assert 'cut.jpg' in text and 'empty.jpg' in text


def test_several_folders_and_links(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp('linked')
    (other / 'link').symlink_to(folder / 'deep')
    dataset = DATASETS.build(
        dict(type='ImageFolders', data_root=[str(other), str(folder / 'other')], pipeline=[LOAD])
    )
    assert [dataset[i]['img'].shape for i in range(len(dataset))] == [(9, 12, 3)] * 2
    assert len(ImageFolders(str(folder), indices=2)) == 2


def test_an_image_that_does_not_decode_is_replaced(tmp_path, told):
    picture(tmp_path / 'a.png', 3)
    bytes_ = picture(tmp_path / 'b.png').read_bytes()
    # whole from outside
    (tmp_path / 'b.png').write_bytes(bytes_[:40] + bytes(20) + bytes_[60:])
    dataset = ImageFolders(str(tmp_path), verify=False, pipeline=[LOAD])
    for _ in range(2):
        assert (dataset[1]['img'] == 3).all()
    (text,) = told
    assert 'b.png does not decode' in text


class Broken:
    """A transform with a mistake."""

    def __call__(self, data):
        raise KeyError('gt_label')


def test_a_mistake_in_the_pipeline_is_no_broken_image(tmp_path):
    picture(tmp_path / 'a.png')
    with pytest.raises(KeyError, match='gt_label'):
        ImageFolders(str(tmp_path), pipeline=[LOAD, Broken()])[0]


def test_nothing_to_read(tmp_path):
    with pytest.raises(FileNotFoundError, match='none does not exist'):
        ImageFolders(str(tmp_path / 'none'))
    with pytest.raises(ValueError, match=r'no image below .* \(no .jpg'):
        ImageFolders(str(tmp_path))
    (tmp_path / 'a.jpg').touch()
    with pytest.raises(ValueError, match='none of 1 can be read'):
        ImageFolders(str(tmp_path))


@pytest.mark.parametrize('several', [False, True])
def test_a_missing_folder_is_told_before_the_training(tmp_path, several):
    lost = str(tmp_path / 'lost')
    root = [str(tmp_path), lost] if several else lost
    cfg = ConfigDict(train_dataloader=dict(dataset=dict(type='ImageFolders', data_root=root)))
    with pytest.raises(FileNotFoundError, match=r'lost does not exist.*INRN_IMAGES_ROOT'):
        check_data_paths(cfg, ['train_dataloader'])
