import os

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from inrn_mm.engine import load_state, load_weights, make_loading_safe
from inrn_mm.engine.checkpoints.files import FORCE_SAFE, FORCE_UNSAFE, DamagedCheckpointError

RAN = []


def mark():
    RAN.append(1)


class Hostile:
    """Runs a function when it is unpickled."""

    def __reduce__(self):
        return mark, ()


@pytest.fixture
def hostile(tmp_path):
    RAN.clear()
    path = tmp_path / 'hostile.pth'
    torch.save(dict(state_dict=nn.Linear(2, 2).state_dict(), meta=Hostile()), path)
    return path


@pytest.fixture
def safe_process(monkeypatch):
    """Undo what make_loading_safe does to the process."""
    monkeypatch.setattr(CheckpointLoader, '_schemes', dict(CheckpointLoader._schemes))
    monkeypatch.setenv(FORCE_SAFE, '0')


@pytest.fixture(params=['weights-only', 'restricted'])
def unpickler(request, monkeypatch):
    """Both ways to load, whatever torch is installed."""
    name = 'get_unsafe_globals_in_checkpoint'
    if request.param == 'restricted':
        monkeypatch.delattr(torch.serialization, name, raising=False)
    elif not hasattr(torch.serialization, name):
        pytest.skip('this torch has the restricted way only')


@pytest.mark.smoke
def test_mm_checkpoint_is_read_safely(tmp_path, unpickler):
    content = dict(
        state_dict=nn.Linear(2, 2).state_dict(),
        meta=dict(epoch=1, seed=np.int64(3), CLASSES=('a', 'b')),
        message_hub=dict(
            loss=HistoryBuffer([1.0, 2.0], [1, 1]),
            infos=[np.float32(1), np.zeros((2, 3), '?'), np.arange(3), np.bool_(1)],
        ),
    )
    torch.save(content, tmp_path / 'a.pth')
    read = load_state(tmp_path / 'a.pth')
    assert read['meta'] == content['meta']
    assert read['message_hub']['loss'].mean() == 1.5
    for one, other in zip(read['message_hub']['infos'], content['message_hub']['infos']):
        assert type(one) is type(other) and one.dtype == other.dtype and (one == other).all()


@pytest.mark.smoke
def test_no_code_of_a_checkpoint_runs(hostile, unpickler):
    with pytest.raises(ValueError, match=r"test_checkpoint\.mark'.*--allow-pickle"):
        load_state(hostile)
    assert not RAN


def test_getattr_reaches_nothing_but_log_methods(tmp_path, unpickler):

    class Getter:
        def __reduce__(self):
            return getattr, (HistoryBuffer, '__init__')

    torch.save(dict(a=Getter()), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='HistoryBuffer.*__init__'):
        load_state(tmp_path / 'a.pth')


def test_allow_pickle_is_the_users_word(hostile, safe_process):
    make_loading_safe()
    assert 'state_dict' in load_state(hostile, allow_pickle=True)
    assert RAN
    assert os.environ[FORCE_SAFE] == '1'


def test_mmengine_loads_safely_in_the_tools(hostile, safe_process):
    make_loading_safe()
    with pytest.raises(ValueError, match='could run any code'):
        load_checkpoint(nn.Linear(2, 2), str(hostile))
    with pytest.raises(Exception, match='[Uu]nsupported'):
        torch.load(hostile, weights_only=False)
    assert not RAN


def test_allow_pickle_in_the_tools(hostile, safe_process):
    make_loading_safe(allow_pickle=True)
    load_checkpoint(nn.Linear(2, 2), str(hostile))
    assert RAN


@pytest.mark.parametrize('forged', ['dtype', 'ndarray', 'scalar', 'string'])
def test_arrays_have_no_pointers_of_the_file(tmp_path, unpickler, forged):
    """Object arrays of any bytes crash at an address that the file chooses."""

    class Forged:
        def __reduce__(self):
            if forged == 'ndarray':
                return np.ndarray, ((1,), 'O', b'\xaa' * 8)
            if forged == 'string':
                return np.dtype, ('U1', False, True), (3, '<', None, None, None, 8, 8, 63)
            flags = (3, '|', None, None, None, -1, -1, 0)
            if forged == 'scalar':
                return np.dtype, ('V8', False, True), flags
            return np.dtype, ('O8', False, True), flags

    torch.save(dict(a=Forged()), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'asks for .numpy\.(dtype|ndarray)'):
        load_state(tmp_path / 'a.pth')


def test_a_file_cannot_change_the_shared_dtypes(tmp_path, unpickler):

    class Forged:
        def __reduce__(self):
            return np.dtype, ('f8', False, True), (3, '|', None, None, None, 1, 1, 63)

    torch.save(dict(a=Forged()), tmp_path / 'a.pth')
    assert load_state(tmp_path / 'a.pth')['a'] is np.dtype('f8')
    assert np.dtype('f8').itemsize == 8 and not np.dtype('f8').hasobject


def test_the_other_byte_order_is_not_misread(tmp_path):
    torch.save(dict(a=np.arange(3, dtype='>f4')), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='other byte order'):
        load_state(tmp_path / 'a.pth')


@pytest.mark.parametrize('allow', [False, True])
def test_the_environments_word_for_pickles_is_not_ours(hostile, safe_process, monkeypatch, allow):
    """Users of the original mmengine set it, and torch refuses both."""
    monkeypatch.setenv(FORCE_UNSAFE, '1')
    good = hostile.with_name('good.pth')
    torch.save(dict(a=torch.ones(2)), good)
    assert load_state(good, allow_pickle=allow)['a'].sum() == 2
    if not allow:
        with pytest.raises(ValueError, match='could run any code'):
            load_state(hostile)
    make_loading_safe(allow)
    assert load_state(good, allow_pickle=allow)['a'].sum() == 2
    assert torch.load(good, weights_only=True)['a'].sum() == 2
    assert not RAN


def test_resuming_runs_no_config_of_the_file(tmp_path, safe_process):
    """Runner.resume executes meta['config'] as a Python file."""
    torch.save(dict(meta=dict(config='1 / 0', epoch=1)), tmp_path / 'a.pth')
    make_loading_safe()
    assert CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))['meta'] == dict(epoch=1)


def test_the_systems_trouble_is_not_called_damage(tmp_path, monkeypatch):
    path = tmp_path / 'a.pth'
    torch.save(dict(a=torch.zeros(1)), path)

    def fail(file, *args):
        raise OSError(24, 'Too many open files')

    monkeypatch.setattr('builtins.open', fail)
    with pytest.raises(OSError, match=r'cannot be read \(Too many open files\).*may be good'):
        load_state(path)


def test_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r'no/such\.pth.*looked for.*download'):
        load_state('no/such.pth')


@pytest.mark.parametrize('keep', [0, 0.5, 0.99])
def test_truncated_file(tmp_path, keep):
    path = tmp_path / 'a.pth'
    torch.save(dict(a=torch.zeros(1000)), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(RuntimeError, match='damaged, truncated or no PyTorch file'):
        load_state(path)


@pytest.mark.parametrize('old', [False, True])
def test_a_changed_byte_is_noticed_or_harmless(tmp_path, old):
    path = tmp_path / 'a.pth'
    weights = torch.arange(50.0)
    content = dict(state_dict=dict(a=weights), meta=dict(epoch=1, name='x'), b=np.arange(4))
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    data = path.read_bytes()
    generator = np.random.default_rng(0)
    for place in generator.integers(len(data), size=300):
        changed = bytearray(data)
        changed[place] ^= 1 << generator.integers(8)
        path.write_bytes(changed)
        try:
            read = load_state(path)
        except DamagedCheckpointError as error:
            assert '--allow-pickle' not in str(error)
        except ValueError as error:  # a name that exists, of the unchecked old format
            assert old and '--allow-pickle' in str(error)
        else:
            assert old or torch.equal(read['state_dict']['a'], weights)
            assert old or (read['meta'] == content['meta'] and (read['b'] == content['b']).all())


def test_a_checkpoint_without_checksums(tmp_path):
    """Which torch writes when it is told to."""
    if not hasattr(torch.serialization, 'set_crc32_options'):
        pytest.skip('this torch always writes them')
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(dict(a=torch.ones(2)), tmp_path / 'a.pth')
    finally:
        torch.serialization.set_crc32_options(True)
    assert load_state(tmp_path / 'a.pth')['a'].sum() == 2


def test_trouble_of_the_device_is_not_the_files(tmp_path, monkeypatch):

    def full(*args, **kwargs):
        raise torch.cuda.OutOfMemoryError('CUDA out of memory.')

    torch.save(dict(a=torch.zeros(1)), tmp_path / 'a.pth')
    monkeypatch.setattr(torch, 'load', full)
    with pytest.raises(torch.cuda.OutOfMemoryError, match='^CUDA out of'):
        load_state(tmp_path / 'a.pth')


def test_web_page_saved_as_checkpoint(tmp_path):
    (tmp_path / 'a.pth').write_text('<html>404 not found</html>')
    with pytest.raises(RuntimeError, match='damaged, truncated or no PyTorch file'):
        load_state(tmp_path / 'a.pth')


def test_file_without_a_dict(tmp_path):
    torch.save([1], tmp_path / 'a.pth')
    with pytest.raises(DamagedCheckpointError, match='holds a list, not a dict'):
        load_state(tmp_path / 'a.pth')


def test_unknown_zoo_model():
    with pytest.raises(ValueError, match='torchvision://nonesuch'):
        load_state('torchvision://nonesuch')


def test_load_weights_strips_ddp_prefix():
    source, target = nn.Linear(2, 2), nn.Linear(2, 2)
    state = {f'module.{k}': v for k, v in source.state_dict().items()}
    assert load_weights(target, dict(state_dict=state), 'x') == []
    assert torch.equal(source.weight, target.weight)


def test_other_architecture_is_refused():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    state = {'0.weight': torch.zeros(3, 2), '0.bias': torch.zeros(2), 'x': torch.zeros(2)}
    with pytest.raises(ValueError) as info:
        load_weights(net, state, 'other.pth')
    message = str(info.value)
    assert '5 of the 6 weights of Sequential are not in other.pth' in message
    assert '4 missing (1.weight, 1.bias, 1.running_mean, ...)' in message
    assert '1 of another shape (0.weight (3, 2) instead of (2, 2))' in message
    assert '1 of its weights found no place (x)' in message


def test_few_missing_weights_are_a_warning():
    net = nn.Sequential(*[nn.Linear(2, 2) for _ in range(6)])
    state = {k: torch.zeros_like(v) for k, v in net.state_dict().items()}
    state.pop('5.bias')
    assert load_weights(net, state, 'x') == ['5.bias']
    assert net[5].weight.abs().sum() == 0
    with pytest.raises(ValueError, match='1 of the 12 weights'):
        load_weights(net, state, 'x', max_missing_ratio=0.05)
    assert load_weights(net, state, 'x', max_missing_ratio=0, optional=('5.',)) == []
