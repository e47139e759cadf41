"""Calls of operators, made the same way for the compiled ones and for ours."""

from collections.abc import Callable, Iterator
from types import ModuleType

import torch
from torch import Tensor

Case = Callable[[ModuleType], dict[str, Tensor]]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def draw_boxes(count: int, size: float = 64, seed: int = 0) -> Tensor:
    corner = draw(count, 2, seed=seed) * size
    extent = draw(count, 2, seed=seed + 1) * size / 2 + 1
    return torch.cat([corner, corner + extent], dim=1)


def draw_scores(count: int, ties: bool = False) -> Tensor:
    scores = draw(count, seed=7)
    return (scores * 4).round() / 4 if ties else scores


def draw_rois(count: int, images: int) -> Tensor:
    index = torch.arange(count) % max(images, 1)
    boxes = draw_boxes(count, 30) - 4  # some reach over the borders
    return torch.cat([index[:, None].float(), boxes], dim=1)


def suppress(count: int, offset: int, ties: bool = False) -> Case:
    def call(ext):
        boxes, scores = draw_boxes(count), draw_scores(count, ties)
        return dict(kept=ext.nms(boxes, scores, iou_threshold=0.3, offset=offset))

    return call


def suppress_softly(count: int, method: int, offset: int, ties: bool = False) -> Case:
    def call(ext):
        dets = torch.zeros(count, 5)
        kept = ext.softnms(
            draw_boxes(count),
            draw_scores(count, ties),
            dets,
            iou_threshold=0.3,
            sigma=0.5,
            min_score=0.2,
            method=method,
            offset=offset,
        )
        return dict(kept=kept, dets=dets[: len(kept)])

    return call


def match(count: int, ties: bool = False) -> Case:
    def call(ext):
        dets = torch.cat([draw_boxes(count), draw_scores(count, ties)[:, None]], dim=1)
        groups = ext.nms_match(dets, iou_threshold=0.3)
        sizes = [len(group) for group in groups]
        return dict(sizes=torch.tensor(sizes), members=torch.tensor(sum(groups, [])))

    return call


def align(count: int, images: int, ratio: int, aligned: bool, mode: str) -> Case:
    def call(ext):
        maps, rois = draw(images, 3, 12, 10, seed=3), draw_rois(count, images)
        options = dict(
            aligned_height=3,
            aligned_width=2,
            spatial_scale=0.25,
            sampling_ratio=ratio,
            pool_mode=('max', 'avg').index(mode),
            aligned=aligned,
        )
        output = maps.new_zeros(count, 3, 3, 2)
        places = [maps.new_zeros(output.shape if mode == 'max' else 0) for _ in range(2)]
        ext.roi_align_forward(maps, rois, output, *places, **options)
        grad = torch.zeros_like(maps)
        ext.roi_align_backward(draw(*output.shape, seed=5), rois, *places, grad, **options)
        return dict(output=output, grad=grad)

    return call


def convolve(groups: int, deform_groups: int, stride: int) -> Case:
    def call(ext):
        x, weight = draw(2, 4, 9, 8, seed=3) - 0.5, draw(6, 4 // groups, 3, 3, seed=4) - 0.5
        side = [(n + 2 - 3) // stride + 1 for n in (9, 8)]
        offset = 3 * draw(2, deform_groups * 18, *side, seed=5) - 1.5
        output, room = x.new_zeros(2, 6, *side), [x.new_zeros(0), x.new_zeros(0)]
        geometry = dict(kW=3, kH=3, dW=stride, dH=stride, padW=1, padH=1, dilationW=1, dilationH=1)
        geometry.update(group=groups, deformable_group=deform_groups, im2col_step=2)
        ext.deform_conv_forward(x, weight, offset, output, *room, **geometry)
        grad = draw(*output.shape, seed=6)
        grads = [torch.zeros_like(t) for t in (x, offset, weight)]
        ext.deform_conv_backward_input(
            x, offset, grad, grads[0], grads[1], weight, room[0], **geometry
        )
        ext.deform_conv_backward_parameters(x, offset, grad, grads[2], *room, scale=1, **geometry)
        return dict(output=output, x=grads[0], offset=grads[1], weight=grads[2])

    return call


def convolve_modulated(groups: int, deform_groups: int, bias: bool) -> Case:
    def call(ext):
        x, weight = draw(2, 4, 9, 8, seed=3) - 0.5, draw(6, 4 // groups, 3, 3, seed=4) - 0.5
        offset, mask = (
            3 * draw(2, deform_groups * 18, 9, 8, seed=5) - 1.5,
            draw(2, deform_groups * 9, 9, 8),
        )
        b = draw(6, seed=8) if bias else x.new_zeros(0)
        output, room = x.new_zeros(2, 6, 9, 8), [x.new_zeros(0), x.new_zeros(0)]
        geometry = dict(kernel_h=3, kernel_w=3, stride_h=1, stride_w=1, pad_h=1, pad_w=1)
        geometry.update(dilation_h=1, dilation_w=1, group=groups, deformable_group=deform_groups)
        geometry.update(with_bias=bias)
        ext.modulated_deform_conv_forward(
            x, weight, b, room[0], offset, mask, output, room[1], **geometry
        )
        grads = dict(x=x, weight=weight, bias=b, offset=offset, mask=mask)
        grads = {name: torch.zeros_like(t) for name, t in grads.items()}
        ext.modulated_deform_conv_backward(
            *(x, weight, b, room[0], offset, mask, room[1]),
            *grads.values(),
            draw(*output.shape, seed=6),
            **geometry,
        )
        return dict(output=output, **grads)

    return call


def convolve_with_larger_offsets() -> Case:
    """As mmdet's DyHead calls it: offsets of a level of twice the size."""

    def call(ext):
        x, weight = draw(2, 4, 5, 4, seed=3) - 0.5, draw(6, 4, 3, 3, seed=4) - 0.5
        offset, mask = 3 * draw(2, 18, 9, 8, seed=5) - 1.5, draw(2, 9, 9, 8)
        bias, output, room = x.new_zeros(0), x.new_zeros(2, 6, 5, 4), [x.new_zeros(0)] * 2
        geometry = dict(kernel_h=3, kernel_w=3, stride_h=1, stride_w=1, pad_h=1, pad_w=1)
        geometry.update(dilation_h=1, dilation_w=1, group=1, deformable_group=1, with_bias=False)
        ext.modulated_deform_conv_forward(
            x, weight, bias, room[0], offset, mask, output, room[1], **geometry
        )
        grads = dict(x=x, weight=weight, bias=bias, offset=offset, mask=mask)
        grads = {name: torch.zeros_like(t) for name, t in grads.items()}
        ext.modulated_deform_conv_backward(
            *(x, weight, bias, room[0], offset, mask, room[1]),
            *grads.values(),
            draw(*output.shape, seed=6),
            **geometry,
        )
        return dict(output=output, **grads)

    return call


def mask_attention(kind: int, size: tuple[int, int]) -> Case:
    def call(ext):
        masks, output = draw(2, size[0] * size[1], 4, 5, seed=3), torch.zeros(2, 20, 4, 5)
        options = dict(psa_type=kind, num_=2, h_feature=4, w_feature=5)
        options.update(h_mask=size[0], w_mask=size[1])
        options.update(half_h_mask=(size[0] - 1) // 2, half_w_mask=(size[1] - 1) // 2)
        ext.psamask_forward(masks, output, **options)
        grad = torch.zeros_like(masks)
        ext.psamask_backward(draw(*output.shape, seed=4), grad, **options)
        return dict(output=output, grad=grad)

    return call


def overlap(mode: int, aligned: bool, offset: int) -> Case:
    def call(ext):
        first, second = draw_boxes(6), draw_boxes(6 if aligned else 4, seed=9)
        ious = torch.zeros(6) if aligned else torch.zeros(6, 4)
        ext.bbox_overlaps(first, second, ious, mode=mode, aligned=aligned, offset=offset)
        return dict(ious=ious)

    return call


def list_cases() -> Iterator[tuple[str, Case]]:
    """Those that mmcv's compiled operators have a CPU kernel for."""
    for count in (0, 1, 40):
        for offset in (0, 1):
            yield f'nms-{count}-{offset}', suppress(count, offset)
            for method in range(3):
                yield f'softnms-{count}-{method}-{offset}', suppress_softly(count, method, offset)
        yield f'match-{count}', match(count)
    yield 'nms-ties', suppress(40, 0, ties=True)
    yield 'softnms-ties', suppress_softly(40, 1, 0, ties=True)
    yield 'match-ties', match(40, ties=True)
    for mode in ('avg', 'max'):
        for aligned in (False, True):
            for ratio in (0, 2):
                name = f'align-{mode}-{"aligned" if aligned else "legacy"}-{ratio}'
                yield name, align(7, 3, ratio, aligned, mode)
        yield f'align-{mode}-none', align(0, 2, 2, True, mode)
        yield f'align-{mode}-one', align(1, 1, 0, True, mode)
        yield f'align-{mode}-many', align(40, 9, 0, True, mode)
    for groups, deform_groups, stride in ((1, 1, 1), (2, 1, 2), (2, 4, 1)):
        name = f'deform-{groups}-{deform_groups}-{stride}'
        yield name, convolve(groups, deform_groups, stride)
    for groups, deform_groups, bias in ((1, 1, True), (1, 1, False), (2, 4, True)):
        name = f'modulated-{groups}-{deform_groups}-{bias}'
        yield name, convolve_modulated(groups, deform_groups, bias)
    yield 'modulated-larger-offsets', convolve_with_larger_offsets()
    for kind in (0, 1):
        for size in ((7, 9), (3, 5)):
            yield f'psamask-{kind}-{size[0]}', mask_attention(kind, size)
    for mode in (0, 1):
        for aligned in (False, True):
            for offset in (0, 1):
                yield f'overlaps-{mode}-{aligned}-{offset}', overlap(mode, aligned, offset)
