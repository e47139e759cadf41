"""Predict with an exported file; needs numpy, OpenCV and onnxruntime or OpenVINO.

Images, folders, videos, a camera (its number) and streams (their URL) are read.
Pictures and videos with what was found go to --out.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
EXAMPLES = """examples:
  python predict.py student.onnx street.jpg --out pictures/
  python predict.py student.onnx photos/ --json found.json --csv found.csv
  python predict.py student.onnx clip.mp4 --out pictures/ --score 0.5
  python predict.py student.onnx 0 --show             # a camera"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', type=Path, help='a file that export.py wrote')
    parser.add_argument(
        'inputs', nargs='+', help='images, folders, videos, numbers of cameras, URLs of streams'
    )
    parser.add_argument('--out', type=Path, help='folder for pictures and videos')
    parser.add_argument(
        '--json', type=Path, help="file for all results, as COCO's evaluation reads"
    )
    parser.add_argument(
        '--ann',
        type=Path,
        help='annotations in COCO format that --json takes the ids of images (by file names) and '
        'categories (by names) from (default: numbers from 0)',
    )
    parser.add_argument('--csv', type=Path, help='file for all results, as a table')
    parser.add_argument(
        '--score', type=float, default=0.3, help='least score that is shown (default: 0.3)'
    )
    parser.add_argument('--show', action='store_true', help='show a window; q ends it')
    parser.add_argument('--threads', type=int, default=0, help='threads (default: all)')
    parser.add_argument(
        '--backend', choices=('onnxruntime', 'openvino'), default='onnxruntime', help='what runs it'
    )
    parser.add_argument('--device', default='cpu', help='cpu, or cuda (OpenVINO: gpu)')
    return parser.parse_args()


def frames(name: str) -> Iterator[tuple[str, np.ndarray]]:
    """Read the images of an input.

    Args:
        name (str): Image, folder, video, number of a camera or URL.

    Yields:
        tuple[str, np.ndarray]: A name and an image; frames of a video are
        called by its name.

    Raises:
        FileNotFoundError: If there is no such file, or no image in a folder.
        ValueError: If it cannot be read.
    """
    from onnx_model import read_image

    path = Path(name)
    if path.is_dir():
        paths = [x for x in sorted(path.rglob('*')) if x.suffix.lower() in IMAGES]
        if not paths:
            raise FileNotFoundError(f'There is no image below {name}.')
        for image in paths:
            try:
                yield str(image), read_image(image)
            except ValueError as error:  # the others are worth having
                print(f'{error} It is left out.', file=sys.stderr)
        return
    if path.is_file() and path.suffix.lower() in IMAGES:
        yield name, read_image(path)
        return
    if not path.exists() and not name.isdigit() and '://' not in name:
        raise FileNotFoundError(f'There is no {name}: name an image, a folder or a video.')
    video = cv2.VideoCapture(int(name) if name.isdigit() else name)
    if not video.isOpened():
        raise ValueError(f'{name} is no image or video that OpenCV reads, or is damaged.')
    ok, image = video.read()
    if not ok:
        raise ValueError(f'There is no frame in {name}.')
    while ok:
        yield name, image
        ok, image = video.read()


class Writer:
    """Writes pictures into a folder; frames of one name become a video.

    Args:
        folder (Path): Made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.videos: dict[str, cv2.VideoWriter] = {}
        self.taken: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, picture: np.ndarray) -> None:
        """Write a picture ``(H, W, 3)``."""
        path = Path(name)
        if path.suffix.lower() in IMAGES:
            cv2.imwrite(str(self.folder / f'{self._free(path.stem)}.jpg'), picture)
            return
        if name not in self.videos:
            stem = path.stem if path.suffix else f'camera{name}'
            rate = cv2.VideoCapture(name).get(cv2.CAP_PROP_FPS) if path.is_file() else 0
            code = cv2.VideoWriter_fourcc(*'mp4v')
            size = picture.shape[1::-1]
            self.videos[name] = cv2.VideoWriter(
                str(self.folder / f'{self._free(stem)}.mp4'), code, rate or 25, size
            )
        self.videos[name].write(picture)

    def _free(self, stem: str) -> str:
        """Number names that several folders have."""
        name, number = stem, 1
        while name in self.taken:
            number += 1
            name = f'{stem}_{number}'
        self.taken.add(name)
        return name

    def close(self) -> None:
        """End the videos."""
        for video in self.videos.values():
            video.release()


def draw(image: np.ndarray, found: dict, classes: list[str], score: float) -> np.ndarray:
    """Draw what was found.

    Args:
        image (np.ndarray): ``(H, W, 3)``.
        found (dict): What :class:`OnnxModel` returned.
        classes (list[str]): Names of the classes.
        score (float): Least score that is drawn.

    Returns:
        np.ndarray: A copy.
    """
    picture = image.copy()
    width = max(round(sum(image.shape[:2]) / 600), 1)
    if 'boxes' not in found:
        best = int(found['scores'].argmax())
        label = classes[best] if best < len(classes) else str(best)
        _text(
            picture, f'{label} {found["scores"][best]:.2f}', (4, 20 * width), (40, 160, 40), width
        )
        return picture
    for i in np.flatnonzero(found['scores'] >= score):
        label = int(found['labels'][i])
        hue = np.uint8([[[label * 47 % 180, 200, 220]]])
        color = tuple(int(x) for x in cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0])
        if 'masks' in found:
            inside = found['masks'][i]
            picture[inside] = picture[inside] * 0.5 + np.array(color) * 0.5
        left, top, right, bottom = found['boxes'][i].round().astype(int).tolist()
        cv2.rectangle(picture, (left, top), (right, bottom), color, width)
        name = classes[label] if label < len(classes) else str(label)
        _text(
            picture, f'{name} {found["scores"][i]:.2f}', (left, max(top, 12 * width)), color, width
        )
    return picture


def _text(picture: np.ndarray, text: str, place: tuple, color: tuple, width: int) -> None:
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.4 * width
    (w, h), _ = cv2.getTextSize(text, font, scale, width)
    left, bottom = place
    cv2.rectangle(picture, (left, bottom - h - 4), (left + w, bottom), color, -1)
    cv2.putText(picture, text, (left, bottom - 3), font, scale, (255, 255, 255), width, cv2.LINE_AA)


def rows(name: str, number: int, found: dict, classes: list[str]) -> Iterator[dict]:
    """Write an image's results as rows of a table.

    Args:
        name (str): Its name.
        number (int): Its number, from 0.
        found (dict): What :class:`OnnxModel` returned.
        classes (list[str]): Names of the classes.

    Yields:
        dict: COCO's ``image_id``, ``category_id`` (the class's number), ``bbox``
        (x, y, width, height) and ``score``, and ``file_name`` and ``category``.
    """
    base = dict(image_id=number, file_name=name)
    if 'boxes' not in found:
        for label in found['scores'].argsort()[::-1][:5]:
            yield dict(
                base, category_id=int(label), score=float(found['scores'][label]),
                category=classes[label] if label < len(classes) else str(label),
            )  # yapf: disable
        return
    for box, score, label in zip(found['boxes'], found['scores'], found['labels']):
        x1, y1, x2, y2 = (round(float(x), 2) for x in box)
        yield dict(
            base, category_id=int(label), bbox=[x1, y1, x2 - x1, y2 - y1], score=float(score),
            category=classes[label] if label < len(classes) else str(label),
        )  # yapf: disable


def take_ids(table: list[dict], path: Path) -> None:
    """Put the ids of an annotation file in place of numbers.

    Args:
        table (list[dict]): Results, changed in place.
        path (Path): Annotations in COCO format.

    Raises:
        ValueError: If it is no such file, or lacks an image or a class.
    """
    try:
        read = json.loads(path.read_text())
        images = {Path(x['file_name']).name: x['id'] for x in read['images']}
        categories = {x['name']: x['id'] for x in read['categories']}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path} is no annotation file in COCO format: {error!r}.') from error
    for row in table:
        name = Path(row['file_name']).name
        if name not in images:
            raise ValueError(f'{path} has no image {name}: predict on those that it lists.')
        if row['category'] not in categories:
            raise ValueError(f'{path} has no category {row["category"]}, a class of the model.')
        row |= dict(image_id=images[name], category_id=categories[row['category']])


def write_tables(table: list[dict], args: argparse.Namespace) -> None:
    """Write the results into the files that the arguments name."""
    if args.ann:
        take_ids(table, args.ann)
    if args.json:
        args.json.write_text(json.dumps(table))
    if args.csv:
        with args.csv.open('w', newline='') as file:
            names = ['file_name', 'image_id', 'category', 'category_id', 'score', 'bbox']
            output = csv.DictWriter(file, names)
            output.writeheader()
            output.writerows(table)


def predict(args: argparse.Namespace) -> None:
    """Predict, draw and write as the arguments say."""
    from onnx_model import OnnxModel

    model = OnnxModel(args.model, args.threads, args.backend, args.device)
    writer = Writer(args.out) if args.out else None
    table: list[dict] = []
    count, seconds, first, shown = 0, 0.0, 0.0, 0
    try:
        for name in args.inputs:
            for path, image in frames(name):
                begin = time.perf_counter()
                found = model(image)
                spent = time.perf_counter() - begin
                seconds, count = seconds + spent, count + 1
                first = first or spent
                table += rows(path, count - 1, found, model.classes)
                if writer or args.show:
                    picture = draw(image, found, model.classes, args.score)
                    if writer:
                        writer.write(path, picture)
                    if args.show:
                        cv2.imshow('found', picture)
                        if cv2.waitKey(1) & 0xFF == ord('q'):
                            raise KeyboardInterrupt
                if sys.stderr.isatty():
                    print(f'\r{count} images', end='', file=sys.stderr)
    except KeyboardInterrupt:
        print('ended by the user; what was done is written', file=sys.stderr)
    finally:
        if writer:
            writer.close()
    shown = sum(row['score'] >= args.score for row in table)
    write_tables(table, args)
    rest = (seconds - first) / (count - 1) if count > 1 else seconds
    print(f'{count} images, {shown} results of a score of at least {args.score:g}; ', end='')
    print(f'{1 / rest:.1f} images/s after the first' if rest else 'nothing to time')


def main() -> None:
    args = parse_args()
    try:
        predict(args)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'{error}')


if __name__ == '__main__':
    main()
