"""Every network gets the same search, on other pictures than the test's."""

import json
from argparse import Namespace

import cv2
import pytest
from fit_inputs import smooth

from tools.studies import tune_fits

pytest.importorskip('constriction')
TOOL = 'studies/tune_fits.py'


def test_a_best_at_the_edge_widens_the_grid(monkeypatch):
    asked = []

    def peak_at_1e_1(args, row, rate, pictures):
        asked.append(rate)
        return {'a': 30 - abs(rate - 0.1), 'b': 20 - abs(rate - 0.1)}

    monkeypatch.setattr(tune_fits, 'fit', peak_at_1e_1)
    args = Namespace(rates=[1e-3, 1e-2], tune=['a', 'b'])
    found = tune_fits.search(args, 'x.py')
    assert asked == [1e-3, 1e-2, 1e-1, 1.0]
    assert found['best'] == 0.1 and not found['at_edge']
    assert found['rates'][0.1] == 25

    monkeypatch.setattr(tune_fits, 'fit', lambda *_: {'a': -_[2]})
    found = tune_fits.search(args, 'x.py')
    assert len(found['rates']) == 2 + tune_fits.MOST and found['at_edge']


def test_settings_of_one_config_are_one_network():
    found = [
        dict(row='a/siren_image.py', rates={1: 30.0}, best=1),
        dict(row='a/siren_image.py+model.net.omega=60', rates={1: 31.0}, best=1),
        dict(row='a/inrn_image.py', rates={1: 29.0}, best=1),
    ]
    chosen = tune_fits.choose(found)
    assert list(chosen) == ['siren_image', 'inrn_image']
    assert chosen['siren_image']['row'].endswith('omega=60')


def test_search_and_test(siren, tmp_path, run_tool, capsys):
    other = tmp_path / 'finer_image.py'
    other.write_text(siren.read_text().replace("'SIREN'", "'FINER'"))
    pictures = [tmp_path / f'{name}.png' for name in 'abc']
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(picture), smooth(24, 32, i))
    command = [TOOL, '--configs', siren, other, '--tune', pictures[0], '--test', *pictures[1:]]
    command += ['--rates', '1e-5', '1e-3', '1e-2', '--out', tmp_path / 'out']
    command += ['--cfg-options', 'train_cfg.max_iters=10']
    run_tool(*command)
    result = json.loads((tmp_path / 'out/tune.json').read_text())
    for each in result['search']:
        assert each['best'] >= 1e-3  # 1e-5 learns nothing in ten steps
    assert [row['name'] for row in result['test']] == ['siren_image', 'finer_image']
    assert result['test'][1]['paired']['low'] is not None
    assert set(result['test'][0]['psnr']) == set(map(str, pictures[1:]))
    capsys.readouterr()
    run_tool(*command)
    assert 'fitting' not in capsys.readouterr().out  # all done before


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--tune', 'a.png', '--test', 'b.png', './a.png'], 'is in --tune and in --test'),
        (['--tune', 'a.png', '--rates', '1e-3'], 'give at least two, above 0'),
    ],
)
def test_wrong_arguments(arguments, message, run_tool, capsys):
    with pytest.raises(SystemExit):
        run_tool(TOOL, '--configs', 'x.py', *arguments)
    assert message in capsys.readouterr().err
