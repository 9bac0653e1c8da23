"""Near duplicates by imagededup's perceptual hash, at its own threshold, on as many processes as there are cores."""

import time

from imagededup.methods import PHash

import line


def look(folder, workers):
    start = time.perf_counter()
    method = PHash(verbose=False)
    hashes = method.encode_images(image_dir=folder, recursive=True, num_enc_workers=workers)
    method.find_duplicates(encoding_map=hashes, num_dist_workers=workers)
    return time.perf_counter() - start


line.answer(look=look)
