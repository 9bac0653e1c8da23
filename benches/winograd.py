"""winograd.py: rounding error of F(4x4, 3x3) in f32 with points 0, +-a, +-b and infinity, for some a and b, beside that of the
definition: the largest of a tile's outputs' errors over the largest output, means of 40 tiles, 64 and 256 channels. Needs numpy."""
import numpy as np

f32, rng = np.float32, np.random.default_rng(0)


def matrices(a, b):
    points = [0, a, -a, b, -b]
    aa, bb = a * a, b * b
    to_patch = np.array([
        [aa * bb, 0, -(aa + bb), 0, 1, 0],
        [0, -a * bb, -bb, a, 1, 0], [0, a * bb, -bb, -a, 1, 0],
        [0, -b * aa, -aa, b, 1, 0], [0, b * aa, -aa, -b, 1, 0],
        [0, aa * bb, 0, -(aa + bb), 0, 1],
    ])
    distance = [np.prod([p - q for q in points if q != p]) for p in points]
    to_weights = np.array([[1 / d, p / d, p * p / d] for p, d in zip(points, distance)] + [[0, 0, 1]])
    to_output = np.array([[float(p) ** i for p in points] + [i == 3] for i in range(4)])
    return to_patch, to_weights, to_output


def winograd(patches, weights, to_patch, to_weights, to_output):
    weights = (to_weights @ weights.astype(float) @ to_weights.T).astype(f32)
    patches = to_patch.astype(f32) @ patches @ to_patch.T.astype(f32)
    sums = np.zeros((6, 6), f32)
    for patch, weight in zip(patches, weights):
        sums += patch * weight
    return to_output.astype(f32) @ sums @ to_output.T.astype(f32)


def definition(patches, weights, kind=f32):
    sums = np.zeros((4, 4), kind)
    for patch, weight in zip(patches.astype(kind), weights.astype(kind)):
        for y in range(3):
            for x in range(3):
                sums += patch[y:y + 4, x:x + 4] * weight[y, x]
    return sums


def error(compute, channels):
    errors, largest = [], []
    for _ in range(40):
        patches = rng.standard_normal((channels, 6, 6)).clip(0).astype(f32)
        weights = (rng.standard_normal((channels, 3, 3)) * 0.1).astype(f32)
        truth = definition(patches, weights, float)
        errors.append(np.abs(compute(patches, weights) - truth).max())
        largest.append(np.abs(truth).max())
    return np.mean(errors) / np.mean(largest)


print(f"definition: {error(definition, 64):.1e}, {error(definition, 256):.1e}")
for a, b in [(1, 2), (1, .5), (.5**.5, 2**.5), (.75, 1.5), (.5, 1.25), (.6, 1.2), (.625, 1.25), (.7, 1.3), (.75, 1.25), (.5, 1.5)]:
    made = matrices(a, b)
    print(f"a {a:.3f}, b {b:.3f}: " + ", ".join(f"{error(lambda p, w: winograd(p, w, *made), n):.1e}" for n in (64, 256)))
