"""`unitscope explain STORE --image ID --method METHOD`: what in an image decides about a class or a unit."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from ...common.errors import UsageError
from .. import argument_types as values
from ..command import JSON, TRUST_DATA, TRUST_MODEL, Command, argument
from ..output import print_json, print_lines
from ..provenance import print_notes, provenance

if TYPE_CHECKING:
    from ...jobs.explain.subject import Subject

METHODS = (
    *("occlusion", "saliency", "smoothgrad", "integrated-gradients", "grad-cam"),
    *("guided-backprop", "deconvnet", "inversion", "fooling"),
)
SYNTHESES = ("gradient-ascent", "maco")
"""The names that jobs/explain/image.py and synthesis.py have; these load torch."""
PRESETS = ("plain", "1", "2", "3", "4")
_UNCHECKED = (
    "guided backprop and deconvnet hardly change when a network's weights are randomised (Adebayo 2018): they show "
    "what is in the image more than what decides"
)


_SAMPLE = 20
"""Images of a check, unless --sample says otherwise."""
_BASELINES = {"mean": "the mean colour instead", "blur": "blurred pixels instead"}
_PROVENANCE = ("model", "weights", "random_weights", "maxima_dtype", "manifest_sha256")


def run(arguments: Namespace) -> int:
    """Explain, print what was found, and write the files."""
    from ...index.store.store import Store
    from ...index.store.trust import Trust

    _check(arguments)
    store = Store.open(arguments.store, trust=Trust(model=arguments.trust_model, data=arguments.trust_data))
    from ...jobs.explain.subject import Subject

    subject = Subject.open(store)
    facts = {"store": arguments.store, **provenance(store.manifest)}
    if arguments.check:
        facts |= _checked(subject, arguments)
    elif arguments.method in SYNTHESES:
        facts |= _synthesised(subject, arguments)
    else:
        facts |= _rate(subject, arguments) if arguments.image is None else _image(subject, arguments)
    if arguments.json:
        print_json(facts)
    else:
        print_notes(store.manifest)
        print_lines(*_lines(facts))
    return 0


def _check(arguments: Namespace) -> None:
    if arguments.check:
        if arguments.image is not None or arguments.unit or arguments.class_name:
            raise UsageError(
                "--check explains images by lot for their predicted classes: leave the other out"
            )
        return
    if arguments.out is None and (arguments.image is not None or arguments.method in SYNTHESES):
        raise UsageError("say where the files go with --out FOLDER")
    if arguments.method in SYNTHESES:
        if arguments.image is not None:
            raise UsageError(
                f"--method {arguments.method} makes an image for a unit or a class: leave --image out"
            )
        return
    if arguments.image is None and (arguments.method != "fooling" or arguments.sample is None):
        raise UsageError("name an image with --image ID; only --method fooling takes --sample N instead")
    if arguments.image is not None and arguments.sample is not None:
        raise UsageError("--image explains one image and --sample fools many: leave one out")
    if arguments.method == "fooling" and (arguments.unit or arguments.class_name):
        raise UsageError("--method fooling changes the prediction: it takes neither --class nor --unit")


def _rate(subject: "Subject", arguments: Namespace) -> dict[str, Any]:
    from ...jobs.explain.image import fooling_rate

    return fooling_rate(subject, epsilon=arguments.epsilon, sample=arguments.sample, seed=arguments.seed)


def _checked(subject: "Subject", arguments: Namespace) -> dict[str, Any]:
    from ...jobs.explain.check import check_method

    sample = _SAMPLE if arguments.sample is None else arguments.sample
    return check_method(subject, arguments.method, sample=sample, seed=arguments.seed)


def _synthesised(subject: "Subject", arguments: Namespace) -> dict[str, Any]:
    from ...jobs.explain.synthesis import Wanted, synthesise
    from ...jobs.explain.write import write

    wanted = Wanted(
        arguments.method,
        class_name=arguments.class_name,
        unit=arguments.unit,
        preset=arguments.preset,
        seed=arguments.seed,
    )
    found = synthesise(subject, wanted)
    return {**found.facts, "files": write(found, arguments.out)}


def _image(subject: "Subject", arguments: Namespace) -> dict[str, Any]:
    from ...jobs.explain.image import Question, explain_image
    from ...jobs.explain.write import write

    question = Question(
        arguments.image,
        arguments.method,
        class_name=arguments.class_name,
        unit=arguments.unit,
        layer=arguments.layer,
        epsilon=arguments.epsilon,
        fill=arguments.fill,
        seed=arguments.seed,
    )
    found = explain_image(subject, question)
    if arguments.method in ("guided-backprop", "deconvnet"):
        found.facts["note"] = _UNCHECKED
    return {**found.facts, "files": write(found, arguments.out)}


def _lines(facts: dict[str, Any]) -> list[str]:
    if "randomisation" in facts:
        return _check_lines(facts)
    if "success_rate" in facts:
        return [
            f"fooled {facts['success_rate']:.1%} of {facts['images']:,} correctly predicted images: every pixel "
            f"changed by at most {facts['epsilon']:g} of 255, PGD in {facts['steps']} steps"
        ]
    hidden = {"store", "files", "method", "image", "note", "warning", "curve", "settings", *_PROVENANCE}
    lines = [f"{facts['method']} of image {facts['image']}" if "image" in facts else facts["method"]]
    lines += [
        f"  {name.replace('_', ' ')}: {_text(value)}" for name, value in facts.items() if name not in hidden
    ]
    lines += [facts[name] for name in ("warning", "note") if facts.get(name)]
    return [*lines, *(f"wrote {path}" for path in facts["files"])]


def _check_lines(facts: dict[str, Any]) -> list[str]:
    lines = [
        f"{facts['method']} checked on {facts['images']:,} images, each explained for its predicted class",
        "",
        "How alike the maps are once the weights are random, from the output down to a layer (1: the same, 0: none):",
    ]
    lines += [_likeness(one) for one in facts["randomisation"]]
    lines += [
        "  The maps depend on the weights."
        if facts["depends_on_weights"]
        else "  The maps hardly depend on the weights: they show what is in the image more than what decides.",
        "",
        "The area under the probability while pixels are exchanged, beside a random order and one from the centre:",
    ]
    for baseline, found in facts["exchange"].items():
        for how, areas in found.items():
            told = [_area(name, one) for name, one in areas.items()]
            lines.append(f"  {how}, {_BASELINES[baseline]}: {', '.join(told)}")
    return [
        *lines,
        "  A good map has a high insertion and a low deletion. Only the order of the pixels counts.",
    ]


def _likeness(one: dict[str, Any]) -> str:
    ranks = f"Spearman {one['spearman']:.2f}, of absolute values {one['spearman_absolute']:.2f}"
    return f"  {one['layer']}: {ranks}; SSIM {one['ssim']:.2f}"


def _area(order: str, found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{order} {found['area']:.3f} ({low:.3f} to {high:.3f})"


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


COMMAND = Command(
    name="explain",
    summary="show what in an image decides about a class or a unit",
    description=(
        "Explains one image with the network that the store was swept with, and writes METHOD.npy (float32, in the\n"
        "pixels of the network's input), METHOD.png and METHOD.json into a folder. By default the predicted class is\n"
        "explained. With --method fooling and --sample, says how many images a small change fools. gradient-ascent\n"
        "and maco make an image for a unit or a class. --check tells whether a method's maps depend on the network."
    ),
    arguments=(
        argument("STORE", help="a finished store"),
        argument("--image", metavar="ID", type=values.whole(0), help="the image's id"),
        argument(
            "--method",
            metavar="METHOD",
            choices=(*METHODS, *SYNTHESES),
            required=True,
            help=f"one of {', '.join((*METHODS, *SYNTHESES))}",
        ),
        argument(
            "--class",
            metavar="NAME",
            dest="class_name",
            group="target",
            help="a class, by its name or number",
        ),
        argument(
            "--unit", metavar="LAYER/UNIT", type=values.unit, group="target", help="a unit instead of a class"
        ),
        argument(
            "--layer",
            metavar="LAYER",
            help="where Grad-CAM and inversion read (default: the last with a map)",
        ),
        argument("--out", metavar="FOLDER", help="where the files go"),
        argument(
            "--fill",
            choices=("mean", "blur"),
            default="mean",
            help="what occlusion covers with (default: %(default)s)",
        ),
        argument(
            "--epsilon",
            metavar="E",
            type=values.above_zero,
            default=2.0,
            help="how far fooling may change a pixel, of 255 (default: %(default)s)",
        ),
        argument(
            "--preset",
            choices=PRESETS,
            default="3",
            help="regularisers of gradient ascent, as the Deep Visualization Toolbox has them (default: %(default)s)",
        ),
        argument("--check", action="store_true", help="check the method on --sample images by lot instead"),
        argument(
            "--sample",
            metavar="N",
            type=values.whole(1),
            help=f"fool N correctly predicted images, or check the method on N (default there: {_SAMPLE})",
        ),
        argument(
            "--seed",
            metavar="S",
            type=values.whole(0),
            default=0,
            help="of random choices (default: %(default)s)",
        ),
        TRUST_MODEL,
        TRUST_DATA,
        JSON,
    ),
    run=run,
)
