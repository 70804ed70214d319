"""The last step of a sweep: the manifest, and after it the end of the work folder."""

from dataclasses import asdict

import pyarrow.parquet as pq

from ...index.format.files import PLAN, WORK, part_path
from ...index.format.manifest import Manifest, files_of, frame_to_json
from ...index.storage.folder import Folder
from ...index.storage.hashed_file import PartRecord
from ...model.sources.preprocess import Preprocess
from ..planning.plan import Plan


def finish(
    folder: Folder, plan: Plan, records: list[PartRecord], *, errors: dict[str, int], labels: int
) -> Manifest:
    """Publish the manifest: from then on the store is finished.

    errors: failed images by status; labels: how many distinct ones the dataset has.
    """
    folder.clean_temporary(living=True)  # no task is left, so whoever still writes was given up
    settings = plan.settings
    manifest = Manifest(
        fingerprints=settings["fingerprints"] | {"plan": plan.fingerprint},
        model=settings["model"]
        | {"feature": asdict(plan.feature), "outputs": plan.outputs}
        | ({"averaged": [asdict(layer) for layer in plan.averaged]} if plan.averaged else {})
        | ({"guessed": plan.guessed} if plan.guessed else {}),
        frame=frame_to_json(Preprocess.from_dict(settings["model"]["preprocess"]).frame),
        dataset=settings["dataset"] | {"images": plan.images},
        labels=settings["labels"],
        options=settings["options"],
        software=settings["software"],
        machine=settings["machine"],
        counts={
            "images": plan.images,
            "ok": plan.images - sum(errors.values()),
            "layers": len(plan.layers),
            "units": sum(layer.units for layer in plan.layers),
            "errors": errors,
            "labels": labels,
        },
        files=files_of([*records, *_plan_records(folder, plan)]),
    )
    manifest.write(folder)
    folder.remove_tree(WORK)
    return manifest


def _plan_records(folder: Folder, plan: Plan) -> list[PartRecord]:
    """Return the plan's own files, which stay in the store: they say where each image's pixels are."""
    records: list[PartRecord] = []
    for part in range(plan.parts):
        path = part_path(PLAN, part)
        with folder.open(path) as source:
            rows = pq.ParquetFile(source).metadata.num_rows
        records.append(PartRecord(path, rows, folder.size(path), folder.sha256(path)))
    return records
