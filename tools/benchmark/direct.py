"""The distillation losses written directly from their formulas.

Each takes a loss of ours, whose settings and trained parts it shares, the
features of student and teacher and the data samples, and returns the sum of
the pairs' terms. Shapes are those of ``losses.py``, in float32.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

Features = list[Tensor]


def _stage_mse(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:
    return sum(F.mse_loss(align.conv(s), t) for align, s, t in zip(loss.align, student, teacher))


def _attention(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:

    def unit(x):
        return F.normalize(x.pow(2).mean(1).flatten(1))

    return sum((unit(s) - unit(t)).pow(2).mean() for s, t in zip(student, teacher))


def _review(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:
    total, fused = 0.0, None
    for fuse, s, t in zip(loss.fusions[::-1], student[::-1], teacher[::-1]):
        s, fused = fuse(s, fused, t.shape[-2:])
        term, weight, weights = F.mse_loss(s, t), 1.0, 1.0
        for size in (4, 2, 1):
            if size < min(t.shape[-2:]):
                weight /= 2
                weights += weight
                term = term + weight * F.mse_loss(
                    F.adaptive_avg_pool2d(s, size), F.adaptive_avg_pool2d(t, size)
                )
        total = total + term / weights
    return total


def _channel_wise(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:
    total = 0.0
    for s, t in zip(student, teacher):
        s, t = s.flatten(2).flatten(0, 1), t.flatten(2).flatten(0, 1)
        p = t.softmax(1)
        total = total + (p * (t.log_softmax(1) - s.log_softmax(1))).sum() / len(s)
    return total


def _pearson(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:

    def unit(x):
        x = x.transpose(0, 1).flatten(1)
        return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-6)

    return sum(F.mse_loss(unit(s), unit(t)) / 2 for s, t in zip(student, teacher))


def _logits(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:
    t = loss.temperature
    return t**2 * F.kl_div(
        (student[0] / t).log_softmax(1), (teacher[0] / t).softmax(1), reduction='batchmean'
    )


def _overhaul(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:
    total = 0.0
    for i, (s, t) in enumerate(zip(student, teacher)):
        s = loss.connectors[i](s, t)
        t = torch.max(t, getattr(loss, f'margin{i}').view(1, -1, 1, 1))
        mask = ((s > t) | (t > 0)).float()
        term = (mask * F.mse_loss(s, t, reduction='none')).sum() / len(s)
        total = total + term / 2 ** (len(student) - 1 - i)
    return total


def _fitnet(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:
    return sum(
        F.mse_loss(r.act(r.norm(r.conv(s))), t)
        for r, s, t in zip(loss.regressors, student, teacher)
    )


def _masked(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:
    total = 0.0
    for generate, s, t in zip(loss.generators, student, teacher):
        n, _, h, w = s.shape
        noise = torch.rand(n, 1, h, w, device=s.device)
        mask = torch.where(noise < loss.mask_ratio, 0.0, 1.0)
        total = total + F.mse_loss(generate(s * mask), t, reduction='sum') / n
    return total


def _focal_global(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:

    def attention(x, dims):
        mean = x.abs().mean(dims)
        share = (mean.flatten(1) / loss.temperature).softmax(1)
        return share.view_as(mean) * share.shape[1]

    total = 0.0
    for i, (s, t) in enumerate(zip(student, teacher)):
        foreground = torch.stack([_boxes(x, s.shape[-2:]) for x in samples])
        background = (foreground == 0).float()
        background /= background.sum((1, 2), keepdim=True).clamp(min=1)
        weight = loss.alpha * foreground + loss.beta * background
        weight = weight * attention(t, 1)
        weight = weight[:, None] * attention(t, (2, 3))[..., None, None]
        context = F.mse_loss(
            loss.student_context[i](s), loss.teacher_context[i](t), reduction='sum'
        )
        term = (weight * (s - t) ** 2).sum() + loss.lambda_ * context
        for dims in (1, (2, 3)):
            term = term + loss.gamma * (attention(s, dims) - attention(t, dims)).abs().sum()
        total = total + term / len(s)
    return total


def _attention_guided(
    loss: nn.Module, student: Features, teacher: Features, samples: list
) -> Tensor:

    def attention(x):
        share = (x.abs().mean(1).flatten(1) / loss.temperature).softmax(1)
        return (share * share.shape[1]).view_as(x[:, :1])

    def relations(block, x):
        values, keys = (
            F.max_pool2d(layer(x), block.pool).flatten(2) for layer in (block.values, block.keys)
        )
        weights = block.queries(x).flatten(2).mT @ keys / keys.shape[2]  # every two places
        out = (weights @ values.mT).mT.unflatten(2, x.shape[-2:])
        return x + block.norm(block.expand(out))

    total = 0.0
    for i, (s, t) in enumerate(zip(student, teacher)):
        adapt = loss.adapters[i]
        both = (attention(s) + attention(t)).detach() / 2
        features = (both * (adapt['features'](s) - t) ** 2).sum().sqrt()
        channels = torch.dist(adapt['channels'](s.mean((2, 3))), t.mean((2, 3)))
        places = torch.dist(adapt['places'](s.mean(1, keepdim=True)), t.mean(1, keepdim=True))
        own = adapt['relations'](relations(loss.student_relations[i], s))
        relation = torch.dist(own, relations(loss.teacher_relations[i], t))
        total = total + loss.alpha * features + loss.beta * (channels + places)
        total = total + loss.gamma * relation
    return total


def _boxes(sample: BaseDataElement, size: torch.Size) -> Tensor:
    """Compute 1 / area of the smallest box around each place, 0 outside."""
    boxes = sample.gt_instances.bboxes
    scale = boxes.new_tensor([*sample.img_shape[::-1]] * 2)
    mask = boxes.new_zeros(size)
    places = boxes / scale * boxes.new_tensor([*size[::-1]] * 2)
    low, high = places[:, :2].floor().int(), places[:, 2:].ceil().int()
    for (x1, y1), (x2, y2) in zip(low.tolist(), high.tolist()):
        area = (x2 + 1 - x1) * (y2 + 1 - y1)
        mask[y1 : y2 + 1, x1 : x2 + 1].clamp_(min=1 / area)
    return mask


def _decoupled(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:
    classes = student[0].shape[1]
    target = F.one_hot(torch.cat([x.gt_label for x in samples]), classes)

    def split(x):
        x = x / loss.temperature
        own = (x.softmax(1) * target).sum(1, keepdim=True)
        return torch.cat([own, 1 - own], 1), x - 1000.0 * target

    (s, s_others), (t, t_others) = split(student[0]), split(teacher[0])
    target_term = F.kl_div(s.log(), t, reduction='batchmean')
    others_term = F.kl_div(s_others.log_softmax(1), t_others.softmax(1), reduction='batchmean')
    return loss.temperature**2 * (loss.alpha * target_term + loss.beta * others_term)


def _dist(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:

    def lack(x, y):
        x, y = (z - z.mean(1, keepdim=True) for z in (x, y))
        norms = x.norm(dim=1) * y.norm(dim=1)
        return 1 - ((x * y).sum(1) / (norms + 1e-8)).mean()

    s, t = ((x[0] / loss.temperature).softmax(1) for x in (student, teacher))
    return loss.temperature**2 * (loss.beta * lack(s, t) + loss.gamma * lack(s.T, t.T))


def _contrastive(loss: nn.Module, student: Features, teacher: Features, samples: list) -> Tensor:
    index = torch.tensor([x.sample_idx for x in samples], device=student[0].device)
    columns = loss.draw(index, student[0], samples)
    s = F.normalize(loss.student_embeds[0](student[0]))
    t = F.normalize(loss.teacher_embeds[0](teacher[0]))
    noise = loss.num_negatives / loss.num_samples
    memory_s, memory_t = loss.student_memory[0], loss.teacher_memory[0]
    total = 0.0
    for v, memory in ((s, memory_t), (t, memory_s)):
        p = ((memory[columns] @ v[..., None])[..., 0] / loss.temperature).exp()
        # Z, which ours keeps from the first batch
        p = p / (p.mean() * loss.num_samples).detach()
        likely = p[:, 0] / (p[:, 0] + noise + 1e-7)
        unlikely = noise / (p[:, 1:] + noise + 1e-7)
        total = total - (likely.log().sum() + unlikely.log().sum()) / len(v)
    loss.remember(memory_s, index, s)
    loss.remember(memory_t, index, t)
    return total


DIRECT: dict[str, Callable[..., Tensor]] = {
    'StageMSELoss': _stage_mse,
    'AttentionTransferLoss': _attention,
    'ReviewLoss': _review,
    'OverhaulLoss': _overhaul,
    'FitNetLoss': _fitnet,
    'ChannelWiseLoss': _channel_wise,
    'PearsonLoss': _pearson,
    'MaskedGenerativeLoss': _masked,
    'FocalGlobalLoss': _focal_global,
    'AttentionGuidedLoss': _attention_guided,
    'LogitKDLoss': _logits,
    'DecoupledKDLoss': _decoupled,
    'DISTLoss': _dist,
    'ContrastiveLoss': _contrastive,
}
