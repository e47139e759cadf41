"""Reading of images, animations, folders of frames and videos."""

from .source import IMAGES, VIDEOS, Source, frame_files, need_input, open_source

__all__ = ['IMAGES', 'VIDEOS', 'Source', 'frame_files', 'need_input', 'open_source']
