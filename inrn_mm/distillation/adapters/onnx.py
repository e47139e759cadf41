"""Teachers in ONNX files, run by onnxruntime."""

import hashlib
import re
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from .adapted import AdaptedModel, need
from .graph import find_cuts


@MODELS.register_module()
class ONNXModel(AdaptedModel):
    """A network in an ONNX file, run by onnxruntime on the images' device.

    Its tensors are layers: ``'model./backbone/conv_output_0'`` of the file is
    ``'model.backbone_conv_output_0'``. Only those that are asked for are
    computed beside what they need.

    Args:
        name (str): Path of the file.
        data_preprocessor (dict, optional): What the network was trained with, as
            ``mean`` and ``std`` (RGB, of 0 to 255) and ``bgr_to_rgb``.
            Defaults to None, images of 0 to 255 as they are loaded.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If onnxruntime is not installed, or the file cannot be
            read or takes no images.
    """

    complete = True

    def __init__(self, name: str, data_preprocessor: dict | None = None) -> None:
        own = dict(mean=[0.0] * 3, std=[1.0] * 3, bgr_to_rgb=False)
        net = ONNXNet(name)
        super().__init__(net, net.find_stages(), own, data_preprocessor, f'onnx::{name}')

    def published_state(self) -> dict:
        """Return the fingerprint of the file, which has the weights."""
        return self.model.state_dict()

    def load_weights(self, state: dict, source: str) -> list[str]:
        """Load nothing.

        Args:
            state (dict): Unused.
            source (str): Where it came from.

        Raises:
            ValueError: If that is another file.
        """
        if source != self.published:
            raise ValueError(f'{self.published} has its weights itself: give no checkpoint for it.')
        return []


class ONNXNet(nn.Module):
    """The graph of an ONNX file, whose tensors are submodules.

    Args:
        path (str): The file.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        if not Path(path).is_file():
            raise FileNotFoundError(f'The teacher onnx::{path} does not exist: check the path.')
        onnx = need('onnx', f'onnx::{path}')
        need('onnxruntime', f'onnx::{path}')
        try:
            self.graph = onnx.load(path)
        except Exception as error:  # of protobuf
            raise ValueError(f'{path} is no ONNX file ({type(error).__name__}).') from error
        held = {tensor.name for tensor in self.graph.graph.initializer}
        images = [value for value in self.graph.graph.input if value.name not in held]
        dims = images[0].type.tensor_type.shape.dim if len(images) == 1 else ()
        if len(dims) != 4:
            raise ValueError(f'{path} takes {len(images)} inputs: a teacher takes (N, C, H, W).')
        self.input = images[0].name
        sides = [dim.dim_value for dim in dims]
        if all(sides[2:]):
            self.img_size = tuple(sides[2:])  # a fixed one, as named_sizes asks for it
        self.batch, self.channels = sides[0], sides[1] or 3
        self.tensors = {}
        for node in self.graph.graph.node:
            for tensor in filter(None, node.output):
                layer = re.sub(r'\W+', '_', tensor).strip('_')
                if node.op_type != 'Constant' and not hasattr(self, layer):
                    self.tensors[layer] = tensor
                    self.add_module(layer, nn.Identity())
        self.outputs = [value.name for value in self.graph.graph.output]
        digest = hashlib.sha256(Path(path).read_bytes()).digest()
        self.register_buffer('fingerprint', torch.tensor(list(digest), dtype=torch.uint8))
        self._sessions: dict[tuple, Any] = {}

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _sessions={})

    @torch.no_grad()
    def find_stages(self) -> list[str]:
        """Find the tensors that are stages, by one run on a blank image."""
        shapes: dict[str, tuple[int, ...]] = {}
        handles = [
            self.get_submodule(layer).register_forward_hook(
                lambda _, args, out, tensor=tensor: shapes.update({tensor: tuple(out.shape)})
            )
            for layer, tensor in self.tensors.items()
        ]
        size = getattr(self, 'img_size', (224, 224))
        try:
            self(torch.zeros(max(self.batch, 1), self.channels, *size))
        finally:
            for handle in handles:
                handle.remove()
        self._sessions.clear()
        layers = {tensor: layer for layer, tensor in self.tensors.items()}
        return [layers[tensor] for tensor in find_cuts(self.graph.graph, self.input, shapes)]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Run the graph.

        Args:
            inputs (Tensor): Images ``(N, C, H, W)``.

        Returns:
            list[Tensor]: The outputs of the file.
        """
        asked = [layer for layer in self.tensors if _hooked(self.get_submodule(layer))]
        names = list(dict.fromkeys([*(self.tensors[layer] for layer in asked), *self.outputs]))
        images = inputs.detach().float().cpu().numpy()
        # a file for one image runs once for each
        chunks = [images[i : i + 1] for i in range(len(images))] if self.batch == 1 else [images]
        session = self._session(tuple(names), inputs.device.type)
        parts = [session.run(names, {self.input: chunk}) for chunk in chunks]
        tensors = [
            torch.cat([torch.from_numpy(x) for x in xs]).to(inputs.device) for xs in zip(*parts)
        ]
        found = dict(zip(names, tensors))
        for layer in asked:
            self.get_submodule(layer)(found[self.tensors[layer]])
        return [found[name] for name in self.outputs]

    def _session(self, names: tuple[str, ...], device: str) -> Any:
        """Make a session that gives these tensors, too."""
        if (names, device) not in self._sessions:
            import onnx
            import onnxruntime

            graph = onnx.ModelProto()
            graph.CopyFrom(self.graph)
            graph.graph.output.extend(
                onnx.ValueInfoProto(name=name) for name in names if name not in self.outputs
            )
            providers = ['CPUExecutionProvider']
            if (
                device == 'cuda'
                and 'CUDAExecutionProvider' in onnxruntime.get_available_providers()
            ):
                providers.insert(0, 'CUDAExecutionProvider')
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = torch.get_num_threads()
            options.log_severity_level = 3
            self._sessions[names, device] = onnxruntime.InferenceSession(
                graph.SerializeToString(), options, providers
            )
        return self._sessions[names, device]


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
