"""CIFAR-100 in memory: reading it, batches, and what is said of bad files."""

import hashlib
import json
import pickle
import tarfile

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

pytest.importorskip('mmpretrain')
from inrn_mm.classification import (
    BatchCropFlip,
    BatchCutout,
    BatchPreprocessor,
    BatchRandAugment,
    InMemoryCIFAR100,
)
from inrn_mm.datasets import cifar100_files

COUNTS = dict(train=20, test=10)


def contents(split):
    rng = np.random.default_rng(len(split))
    number = COUNTS[split]
    return (rng.integers(0, 256, (number, 32, 32, 3), dtype=np.uint8), rng.integers(0, 100, number))


def original(split):
    images, labels = contents(split)
    data = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return pickle.dumps(dict(data=data, fine_labels=labels.tolist()), protocol=2)


@pytest.fixture
def sums(monkeypatch):
    """The sums of the files made here in place of the published ones."""
    known = {s: hashlib.md5(original(s)).hexdigest() for s in COUNTS}
    monkeypatch.setattr(cifar100_files, 'published_sums', lambda: known)
    return known


@pytest.fixture
def folder(tmp_path, sums):
    (tmp_path / 'cifar-100-python').mkdir()
    for split in COUNTS:
        (tmp_path / 'cifar-100-python' / split).write_bytes(original(split))
    return tmp_path


@pytest.fixture
def archive(tmp_path, folder, sums):
    path = tmp_path / 'packed' / cifar100_files.ARCHIVE
    path.parent.mkdir()
    with tarfile.open(path, 'w:gz') as tar:
        tar.add(folder / 'cifar-100-python', 'cifar-100-python')
    sums[path.name] = hashlib.md5(path.read_bytes()).hexdigest()
    return path


@pytest.fixture
def sheets(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(cifar100_files, 'SPLITS', COUNTS)
    root = tmp_path / 'sheets'
    root.mkdir()
    for split in COUNTS:
        images, labels = contents(split)
        sheet = np.zeros((1600, 32, 32, 3), np.uint8)
        sheet[: len(images)] = images
        sheet = sheet.reshape(40, 40, 32, 32, 3).swapaxes(1, 2)
        Image.fromarray(sheet.reshape(1280, 1280, 3)).save(root / f'{split}_00.webp', lossless=True)
        np.save(root / f'{split}_labels.npy', labels.astype(np.uint8))
    return root


def read(root, split='train'):
    return cifar100_files.load_cifar100(root, split)


def test_all_forms_hold_the_same(folder, archive, sheets):
    for split in COUNTS:
        images, labels = contents(split)
        for root in (folder, folder / 'cifar-100-python', archive.parent, sheets):
            found = read(root, split)
            np.testing.assert_array_equal(found[0], images)
            np.testing.assert_array_equal(found[1], labels)


def test_sums_are_those_of_mmpretrain():
    from mmpretrain.datasets import CIFAR100

    assert cifar100_files.published_sums() == {
        'cifar-100-python.tar.gz': CIFAR100.tgz_md5,
        'train': CIFAR100.train_list[0][1],
        'test': CIFAR100.test_list[0][1],
    }
    assert CIFAR100.url == cifar100_files.URL


def test_missing_names_the_folder_and_the_download(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        InMemoryCIFAR100(str(tmp_path / 'nowhere'))
    for part in ('nowhere', cifar100_files.URL, 'INRN_CIFAR100_ROOT'):
        assert part in str(error.value)


@pytest.mark.parametrize('form', ['folder', 'archive'])
def test_damaged_original(form, folder, archive):
    path = archive if form == 'archive' else folder / 'cifar-100-python' / 'train'
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    root = archive.parent if form == 'archive' else folder
    with pytest.raises(ValueError, match='damaged.*MD5.*download'):
        read(root)


def test_original_runs_no_code(folder, sums):
    """Even with a sum that somebody changed, too."""

    class Evil:
        def __reduce__(self):
            return print, ('code ran',)

    path = folder / 'cifar-100-python' / 'train'
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    sums['train'] = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(pickle.UnpicklingError, match='print'):
        read(folder)


def test_damaged_sheets(sheets):
    from PIL import Image

    path = sheets / 'train_00.webp'
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match='train_00.webp is damaged'):
        read(sheets)
    Image.new('RGB', (96, 96)).save(path)
    with pytest.raises(ValueError, match='a sheet has 40 x 40 images of 32'):
        read(sheets)
    (sheets / 'test_labels.npy').unlink()
    with pytest.raises(FileNotFoundError, match='test_labels.npy is missing'):
        read(sheets, 'test')


@pytest.mark.parametrize(
    'change',
    [
        lambda labels: labels[:0],
        lambda labels: labels[:-1],
        lambda labels: labels + 100,
        lambda labels: labels.astype(np.float32),
    ],
)
def test_damaged_labels_of_sheets(sheets, change):
    path = sheets / 'train_labels.npy'
    np.save(path, change(np.load(path)))
    with pytest.raises(ValueError, match='train_labels.npy is damaged'):
        read(sheets)


@pytest.mark.parametrize('names', [{}, ['a'] * 100, ['a', 'b']])
def test_damaged_class_names_of_sheets(sheets, names):
    (sheets / 'classes.json').write_text(json.dumps(names))
    with pytest.raises(ValueError, match='classes.json is damaged'):
        read(sheets)


def test_sheets_with_classes_in_another_order(sheets):
    labels = read(sheets)[1]
    names = [f'{99 - i:02d}' for i in range(100)]
    (sheets / 'classes.json').write_text(json.dumps(names))
    np.testing.assert_array_equal(read(sheets)[1], 99 - labels)


def test_batch_is_its_samples(folder):
    """The one look-up gives what single samples through PackInputs give."""
    dataset = InMemoryCIFAR100(str(folder), device='cpu')
    images, labels = contents('train')
    batch = dataset.__getitems__([3, 0, 7])
    for i, index in enumerate([3, 0, 7]):
        single = dataset[index]
        assert torch.equal(batch['inputs'][i], single['inputs'])
        assert torch.equal(single['inputs'], torch.from_numpy(images[index]).permute(2, 0, 1))
        for sample in (batch['data_samples'][i], single['data_samples']):
            assert sample.gt_label.tolist() == [labels[index]]
            assert sample.sample_idx == index


def test_classes_and_indices(folder):
    labels = contents('train')[1]
    names = InMemoryCIFAR100.METAINFO['classes']
    wanted = [int(labels[1]), int(labels[0])]
    dataset = InMemoryCIFAR100(str(folder), metainfo=dict(classes=[names[i] for i in wanted]))
    kept = [wanted.index(x) for x in labels if x in wanted]
    assert dataset.labels.tolist() == kept
    assert len(InMemoryCIFAR100(str(folder), indices=5)) == 5
    chosen = InMemoryCIFAR100(str(folder), indices=[4, 2])
    assert chosen.labels.tolist() == labels[[4, 2]].tolist()
    with pytest.raises(ValueError, match="no class 'unicorn'"):
        InMemoryCIFAR100(str(folder), metainfo=dict(classes=['unicorn']))
    with pytest.raises(ValueError, match='there are 20'):
        InMemoryCIFAR100(str(folder), indices=[20])
    with pytest.raises(ValueError, match="no split 'val'"):
        InMemoryCIFAR100(str(folder), split='val')


def loader(folder, **dataset):
    return Runner.build_dataloader(
        dict(
            batch_size=8,
            num_workers=0,
            collate_fn=dict(type='collate_in_memory'),
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=dict(type='InMemoryCIFAR100', data_root=str(folder), **dataset),
        ),
        seed=0,
    )


def test_dataloader_takes_batches(folder, monkeypatch):
    data = loader(folder)
    monkeypatch.setattr(InMemoryCIFAR100, '__getitem__', None)
    seen = []
    for batch in data:
        assert isinstance(batch['inputs'], torch.Tensor)
        seen += [sample.sample_idx for sample in batch['data_samples']]
    assert sorted(seen) == list(range(20))


def test_other_pipelines_run_one_by_one(folder):
    resize = [dict(type='Resize', scale=48), dict(type='PackInputs')]
    batch = next(iter(loader(folder, pipeline=resize)))
    assert [tuple(x.shape) for x in batch['inputs']] == [(3, 48, 48)] * 8


def normalised(images, **kwargs):
    settings = dict(mean=[129.3, 124.1, 112.4], std=[68.2, 65.4, 70.4])
    preprocessor = BatchPreprocessor(**settings, **kwargs)
    return preprocessor(dict(inputs=images), True)['inputs']


def test_crop_and_flip_are_windows_of_the_padded_image():
    images = torch.randint(1, 256, (64, 3, 8, 8), dtype=torch.uint8)
    padded = torch.nn.functional.pad(images, (2,) * 4)
    found = set()
    for image, out in zip(padded, BatchCropFlip(2)(images)):
        matches = [
            (y, x, flip)
            for y in range(5)
            for x in range(5)
            for flip in (False, True)
            if torch.equal(
                image[:, y : y + 8, x : x + 8].flip(2) if flip else image[:, y : y + 8, x : x + 8],
                out,
            )
        ]
        assert len(matches) == 1
        found.update(matches)
    # they are drawn for each image
    assert len(found) > 20
    assert {flip for *_, flip in found} == {False, True}
    assert torch.equal(BatchCropFlip(0, flip_prob=1.0)(images), images.flip(3))


def test_cutout_is_one_square():
    images = torch.zeros(32, 3, 16, 16, dtype=torch.uint8)
    out = BatchCutout(6, value=(1, 2, 3))(images)
    assert out.dtype == torch.uint8
    areas = (out[:, 0] == 1).sum((1, 2))
    assert areas.max() == 36 and areas.min() >= 9
    assert torch.equal(out[:, 2], out[:, 0] * 3)


def test_randaugment_draws_for_each_image():
    image = torch.randint(256, (1, 3, 16, 16), dtype=torch.uint8)
    out = BatchRandAugment(1)(image.repeat(64, 1, 1, 1))
    assert out.shape == (64, 3, 16, 16) and out.dtype == torch.uint8
    assert len({x.numpy().tobytes() for x in out}) > 12


@pytest.mark.parametrize('name', BatchRandAugment().variants)
def test_each_operation(name):
    images = torch.randint(20, 200, (2, 3, 16, 16), dtype=torch.uint8)
    augment = BatchRandAugment(magnitude=10.0)
    out = augment.apply_one(*name, images)
    assert out.shape == images.shape and out.dtype == torch.uint8
    assert not torch.equal(out, images)
    if name[0] == 'TranslateX':
        shift = round(0.45 * 16) * name[1]
        moved = out[..., shift:] if shift > 0 else out[..., :shift]
        kept = images[..., :-shift] if shift > 0 else images[..., -shift:]
        assert torch.equal(moved, kept)


def test_preprocessor_augments_in_training_only():
    images = torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8)
    plain = normalised(images)
    crop = BatchPreprocessor(
        mean=[129.3, 124.1, 112.4], std=[68.2, 65.4, 70.4], transforms=[dict(type='BatchCropFlip')]
    )
    assert torch.equal(crop(dict(inputs=images), False)['inputs'], plain)
    assert not torch.equal(crop(dict(inputs=images), True)['inputs'], plain)
    torch.manual_seed(3)
    first = crop(dict(inputs=images), True)['inputs']
    torch.manual_seed(3)
    again = crop(dict(inputs=list(images)), True)['inputs']
    assert torch.equal(first, again)


def test_sizes_that_differ():
    images = [torch.zeros(3, 32, 32), torch.zeros(3, 48, 48)]
    with pytest.raises(ValueError, match=r'48, 48.*Resize'):
        normalised(images, transforms=[dict(type='BatchCropFlip')])


def test_teacher_of_another_normalisation():
    """The batch is converted by what the preprocessor did."""
    from mmpretrain.models import ClsDataPreprocessor

    from inrn_mm.distillation.inputs import InputAdapter

    images = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    student = BatchPreprocessor(mean=[129.3, 124.1, 112.4], std=[68.2, 65.4, 70.4])
    teacher = ClsDataPreprocessor(mean=[100.0, 90.0, 80.0], std=[1.0, 2.0, 3.0])
    batch = student(dict(inputs=images), True)['inputs']
    torch.testing.assert_close(
        InputAdapter(student, teacher)(batch),
        teacher(dict(inputs=images))['inputs'],
        rtol=0,
        atol=1e-3,
    )


def test_real_images(data_root):
    root = data_root / 'cifar100'
    if not root.is_dir():
        pytest.skip(f'no {root}')
    dataset = InMemoryCIFAR100(str(root), split='test', device='cpu')
    assert dataset.images.shape == (10000, 3, 32, 32)
    assert torch.bincount(dataset.labels).tolist() == [100] * 100
    # apples and oranges are redder than clouds and sharks
    redness = (dataset.images[:, 0].float() - dataset.images[:, 2].float()).mean((1, 2))
    classes = dataset.metainfo['classes']
    red, blue = (
        torch.cat([redness[dataset.labels == classes.index(name)] for name in names]).mean()
        for names in (('apple', 'orange'), ('cloud', 'shark'))
    )
    assert red > blue + 50


def test_data_folder_comes_from_the_environment(monkeypatch):
    from pathlib import Path

    path = Path(__file__).parents[2] / 'configs/classification/resnet20_cifar100.py'
    assert Config.fromfile(path).data_root == 'data/cifar100'
    monkeypatch.setenv('INRN_CIFAR100_ROOT', '/elsewhere')
    cfg = Config.fromfile(path)
    for split in ('train', 'val', 'test'):
        assert cfg[f'{split}_dataloader'].dataset.data_root == '/elsewhere'
