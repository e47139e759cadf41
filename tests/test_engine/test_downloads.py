"""Weights from the network, without one."""

import hashlib
import io

import pytest
import torch

from inrn_mm.engine import load_state


def file_of(number: float) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(a=torch.full((2,), number)), buffer)
    return buffer.getvalue()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """URL to content, with the list of what was fetched."""
    files, fetched = {}, []

    def fetch(url, path):
        fetched.append(url)
        with open(path, 'wb') as file:
            file.write(files[url])

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', fetch)
    return files, fetched


def test_url_is_downloaded_once(server, tmp_path):
    files, fetched = server
    name = f'x-{hashlib.sha256(file_of(1)).hexdigest()[:8]}.pth'
    url = f'https://host/{name}?a=1'
    files[url] = file_of(1)
    for _ in range(2):
        assert load_state(url)['a'].sum() == 2
    assert fetched == [url]
    assert (tmp_path / 'checkpoints' / name).is_file()


def test_the_hash_in_the_name_is_checked(server):
    files, _ = server
    files['https://host/x-1234abcd.pth'] = file_of(1)
    with pytest.raises(RuntimeError, match=r'SHA-256 .* not with the 1234abcd.*Delete it'):
        load_state('https://host/x-1234abcd.pth')


def test_files_of_one_name_and_two_servers(server):
    files, _ = server
    urls = ['https://one/model.pth', 'https://other/model.pth', 'https://one/a-20210826.pth']
    for number, url in enumerate(urls):
        files[url] = file_of(number)
    assert [load_state(url)['a'][0].item() for url in urls] == [0, 1, 2]
    assert load_state(urls[0])['a'][0] == 0


def test_no_network_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    with pytest.raises(ConnectionError) as info:
        load_state('http://127.0.0.1:1/x-1234abcd.pth')
    message = str(info.value)
    assert message.startswith('Cannot download http://127.0.0.1:1/x-1234abcd.pth')
    assert f'put it at {tmp_path}/checkpoints/x-1234abcd.pth' in message
