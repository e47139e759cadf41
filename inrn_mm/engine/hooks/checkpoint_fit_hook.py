"""Refuse to evaluate a checkpoint of another model."""

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.registry import HOOKS

from ..checkpoints.reading import load_weights


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Compare a checkpoint with the model before it is loaded.

    mmengine warns and goes on, so that the wrong config gives a mAP of 0.
    What only training needs, a distiller's ``distill_losses.*``, may be
    missing: plain and distilled checkpoints fit plain and distilled configs.

    Args:
        max_missing_ratio (float): Largest share of the model's weights that
            the checkpoint may lack. Defaults to 0.1.

    Raises:
        ValueError: If it lacks more.
    """

    training_only = ('distill_losses.',)

    def __init__(self, max_missing_ratio: float = 0.1) -> None:
        self.max_missing_ratio = max_missing_ratio

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Called by the runner with the file's content."""
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        load_weights(
            model,
            checkpoint,
            source=str(runner._load_from),
            max_missing_ratio=self.max_missing_ratio,
            optional=self.training_only,
        )
