"""One part of a checkpoint as a file of its own, with a card."""

import hashlib
import io
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch

from ...utils.whole_file import whole_file
from .reading import load_state, plain_state

NOT_SAID = 'not said'


@dataclass
class Card:
    """What the users of weights must know.

    Args:
        architecture (str): The network.
        teacher (str): Who taught it.
        teacher_license (str): Licence of the teacher's weights.
        data (str): Images it was trained on.
        data_license (str): Their licence.
        license (str): Licence of these weights.
    """

    architecture: str = NOT_SAID
    teacher: str = NOT_SAID
    teacher_license: str = NOT_SAID
    data: str = NOT_SAID
    data_license: str = NOT_SAID
    license: str = NOT_SAID

    def write(self, file: str, digest: str, weights: OrderedDict, part: str, source: str) -> str:
        """Write the card in Markdown.

        Args:
            file (str): Name of the file of weights.
            digest (str): Its SHA-256.
            weights (OrderedDict): Name to tensor.
            part (str): Which part of the network they are.
            source (str): Where they are from.
        """
        count = sum(x.numel() for x in weights.values() if x.is_floating_point())
        rows = {
            'file': f'`{file}`',
            'SHA-256': f'`{digest}`',
            'from': source,
            'weights': f'{count:,} numbers in {len(weights)} tensors below `{part}.`',
            **self._fields(),
        }
        lines = [f'| {name} | {value} |' for name, value in rows.items()]
        return '\n'.join(
            [
                f'# {file}',
                '',
                '| | |',
                '|---|---|',
                *lines,
                '',
                '```python',
                f"init_cfg = dict(type='Pretrained', checkpoint='{file}', prefix='{part}.')",
                '```',
                '',
            ]
        )

    def _fields(self) -> dict[str, str]:
        return {
            'architecture': self.architecture,
            'teacher': self.teacher,
            'licence of the teacher': self.teacher_license,
            'data': self.data,
            'licence of the data': self.data_license,
            'licence': self.license,
        }


def publish_part(
    checkpoint: str, out: str | Path, part: str, card: Card, allow_pickle: bool = False
) -> tuple[Path, Path]:
    """Write the weights of one part, without optimizer, log and heads.

    Args:
        checkpoint (str): Path or URL of a checkpoint.
        out (str | Path): The new file's path; the first 8 digits of its
            SHA-256 are put behind the name, as mm's tools do and mmengine
            checks at a download.
        part (str): The child whose weights are kept, with its name before
            theirs.
        card (Card): What is known.
        allow_pickle (bool): See :func:`load_state`. Defaults to False.

    Returns:
        tuple[Path, Path]: The file of weights and the card beside it.

    Raises:
        ValueError: If the checkpoint has no such part.
    """
    state = plain_state(load_state(checkpoint, allow_pickle=allow_pickle))
    weights = OrderedDict((k, v.contiguous()) for k, v in state.items() if k.startswith(f'{part}.'))
    if not weights:
        parts = sorted({key.partition('.')[0] for key in state})
        raise ValueError(
            f"{checkpoint} has no weights below '{part}.': choose one of {', '.join(parts)}."
        )
    buffer = io.BytesIO()
    torch.save(dict(state_dict=weights, meta={}), buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    out = Path(out)
    path = out.with_name(f'{out.stem}-{digest[:8]}.pth')
    text = card.write(path.name, digest, weights, part, Path(checkpoint).name)
    for file, content in ((path, buffer.getvalue()), (path.with_suffix('.md'), text.encode())):
        with whole_file(file) as temporary:
            temporary.write_bytes(content)
    return path, path.with_suffix('.md')
