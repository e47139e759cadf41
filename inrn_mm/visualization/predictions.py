"""Pictures of classifiers' predictions on small images."""

from collections.abc import Sequence

import cv2
import numpy as np

RIGHT, WRONG = (80, 160, 40), (60, 60, 210)  # BGR
INK, PAPER = (70, 60, 50), (255, 255, 255)


def draw_image(image: np.ndarray, side: int = 180) -> np.ndarray:
    """Enlarge an image so that its pixels are seen.

    Args:
        image (ndarray): uint8 BGR, (H, W, 3).
        side (int): Side of the picture in pixels. Defaults to 180.

    Returns:
        ndarray: uint8 BGR, (side, side, 3).
    """
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_NEAREST)


def draw_scores(
    scores: Sequence[float], truth: int, classes: Sequence[str], side: int = 180
) -> np.ndarray:
    """Draw the scores of all classes as bars, the strongest one marked.

    Args:
        scores (Sequence[float]): One for each class, 0 to 1.
        truth (int): The right class.
        classes (Sequence[str]): Short names.
        side (int): Side of the picture in pixels. Defaults to 180.

    Returns:
        ndarray: uint8 BGR, (side, side, 3). The bar of the prediction is green
        if it is right and red if not; a ring marks the right class.
    """
    picture = np.full((side, side, 3), PAPER, np.uint8)
    guess = int(np.argmax(scores))
    foot, width = side - 22, side / len(scores)
    for i, score in enumerate(scores):
        colour = (200, 190, 180)
        if i == guess:
            colour = RIGHT if i == truth else WRONG
        left, right = round(i * width) + 2, round((i + 1) * width) - 2
        top = foot - round(float(score) * (foot - 26))
        cv2.rectangle(picture, (left, top), (right, foot), colour, -1)
        middle = (left + right) // 2
        _write(picture, classes[i], (middle, side - 7), 0.38, INK)
        if i == truth:
            cv2.circle(picture, (middle, side - 10), 9, RIGHT, 1, cv2.LINE_AA)
    text = f'{classes[guess]}  {100 * float(scores[guess]):.0f} %'
    _write(picture, text, (side // 2, 17), 0.5, RIGHT if guess == truth else WRONG)
    return picture


def _write(picture: np.ndarray, text: str, centre: tuple, scale: float, colour: tuple) -> None:
    """Write a text whose base line has its middle at a place."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    width = cv2.getTextSize(text, font, scale, 1)[0][0]
    cv2.putText(
        picture, text, (centre[0] - width // 2, centre[1]), font, scale, colour, 1, cv2.LINE_AA
    )
