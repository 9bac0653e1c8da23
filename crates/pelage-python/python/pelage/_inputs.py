"""Pictures as people have them, as the native module takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Union

import numpy

Picture = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, numpy.ndarray, Any]
"""A path, a file's content, an array of rows x columns x 3 (4 with alpha, or none of gray) of `uint8`, or a PIL image."""

Input = tuple[str, Any]
"""A picture's name, and its path, content or pixels."""


def is_picture(value: Any) -> bool:
    """Whether it is one picture, and not several."""
    if isinstance(value, numpy.ndarray):
        return value.ndim == 2 or (value.ndim == 3 and value.shape[2] in (1, 3, 4) and value.dtype != object)
    return isinstance(value, (str, os.PathLike, bytes, bytearray, memoryview)) or _is_pil(value)


def is_place(value: Any) -> bool:
    """Whether it is a folder or an archive, which has several pictures."""
    if not isinstance(value, (str, os.PathLike)):
        return False
    path = os.fspath(value)
    return os.path.isdir(path) or path.lower().endswith((".zip", ".tar"))


def inputs(pictures: Any) -> list[Input]:
    """Each picture as a name with a path, bytes or an array."""
    several: Iterable[Any] = [pictures] if is_picture(pictures) else pictures
    if not isinstance(several, Iterable):
        raise TypeError(f"expected pictures (paths, bytes, arrays, PIL images), not {type(pictures).__name__}")
    return [_input(f"picture {number}", picture) for number, picture in enumerate(several)]


def _input(name: str, picture: Any) -> Input:
    if isinstance(picture, (str, os.PathLike)):
        path = os.fspath(picture)
        return str(path), path
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return name, bytes(picture)
    if _is_pil(picture):
        from PIL import ImageOps

        image = ImageOps.exif_transpose(picture)
        is_clear = "A" in image.getbands() or "transparency" in image.info
        return name, _array(name, numpy.asarray(image.convert("RGBA" if is_clear else "RGB")))
    return name, _array(name, numpy.asarray(picture))


def _array(name: str, array: numpy.ndarray) -> numpy.ndarray:
    if array.dtype != numpy.uint8:
        raise TypeError(f"{name}: expected an array of uint8, 0 to 255, not {array.dtype}")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ValueError(f"{name}: expected rows x columns x 3, not {' x '.join(map(str, array.shape))}")
    if array.shape[2] == 1:
        return numpy.broadcast_to(array, (*array.shape[:2], 3))
    if array.shape[2] == 3:
        return array
    # What is clear is white, as in a file.
    alpha = array[:, :, 3:].astype(numpy.uint32)
    white: numpy.ndarray = (array[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return white.astype(numpy.uint8)


def _is_pil(value: Any) -> bool:
    # Without importing it: whoever has such an image has done that.
    return any(base.__module__ == "PIL.Image" for base in type(value).__mro__)
