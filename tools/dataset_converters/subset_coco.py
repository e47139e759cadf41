"""Write a COCO annotation file of the first images of another one."""

import argparse
import json
from pathlib import Path

EXAMPLE = """\
example: overfit and evaluate on the same 32 images
  python tools/dataset_converters/subset_coco.py \\
      data/coco/annotations/instances_train2017.json 32 \\
      data/coco/annotations/instances_train32.json"""


def subset(annotations: dict, num_images: int) -> dict:
    """Keep the first images (by id) that have an instance.

    Args:
        annotations (dict): Content of a COCO annotation file.
        num_images (int): How many images to keep.

    Returns:
        dict: The same with these images and their instances; all categories
        stay.
    """
    used = {a['image_id'] for a in annotations['annotations'] if not a.get('iscrowd')}
    images = sorted(
        (i for i in annotations['images'] if i['id'] in used), key=lambda image: image['id']
    )[:num_images]
    if len(images) < num_images:
        raise ValueError(f'Only {len(images)} images have instances, {num_images} were asked for.')
    kept = {image['id'] for image in images}
    return dict(
        annotations,
        images=images,
        annotations=[a for a in annotations['annotations'] if a['image_id'] in kept],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='a COCO annotation file')
    parser.add_argument('num_images', type=int, help='images to keep')
    parser.add_argument('target', type=Path, help='file to write')
    args = parser.parse_args()
    if not args.source.is_file():
        parser.error(f'there is no annotation file {args.source}')
    try:
        kept = subset(json.loads(args.source.read_text()), args.num_images)
    except ValueError as error:
        parser.error(str(error))
    args.target.parent.mkdir(parents=True, exist_ok=True)
    args.target.write_text(json.dumps(kept))
    print(
        f'{len(kept["images"])} images and {len(kept["annotations"])} '
        f'instances written to {args.target}'
    )


if __name__ == '__main__':
    main()
