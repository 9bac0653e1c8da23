"""The recipe for Ray Data in docs/CLUSTER.md, as it stands there but for its paths; skipped where Ray is not."""

import re
from pathlib import Path

import pytest

import pelage

ray = pytest.importorskip("ray")


def test_the_recipe_predicts_as_one_process_does(run, data, tmp_path):
    document = (Path(__file__).parents[3] / "docs/CLUSTER.md").read_text(encoding="utf-8")
    code = re.search(r"## Ray Data.*?```python\n(.*?)```", document, re.DOTALL)
    assert code
    recipe = code.group(1)
    for named, ours in {
        '"pictures/"': repr(str(data)),
        '"runs/lite0"': repr(run.folder),
        '"predictions/"': repr(str(tmp_path / "predictions")),
        "concurrency=4": "concurrency=2",
        "num_cpus=2": "num_cpus=1",
    }.items():
        assert named in recipe
        recipe = recipe.replace(named, ours)
    ray.init(num_cpus=4, include_dashboard=False)
    exec(recipe, {})
    table = ray.data.read_parquet(str(tmp_path / "predictions")).to_pandas()
    ray.shutdown()
    expected = {Path(one.path).resolve(): one for one in pelage.open(run.folder).predict(data)}
    assert len(table) == len(expected) > 0
    for row in table.itertuples():
        one = expected[Path(row.path).resolve()]
        assert (row[2], row.error) == (one.answer, one.error)
        assert row.probability == pytest.approx(one.probability)
