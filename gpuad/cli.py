"""The command line: ``gpuad compare``, ``gpuad coverage`` and ``gpuad info``."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gpuad.compare.options import ACTIVATIONS, DEVICES, DTYPES, OptionError, Options, require_demo_packages
from gpuad.coverage_reasons import STATUSES

DESCRIPTION = """\
Gradients of NumPy and CuPy programs by one backslash:
    (I − L) dx = D dP     one block lower triangular system for the whole program
    Dᵀ ((I − L)ᵀ \\ e)    its gradient, by back substitution
"""
COMPARE = """\
Train a network on scikit-learn's 1,797 handwritten digits, on the CPU and, where there is one, on the GPU,
each training step in a plan; and compare gpuad's gradient, eager and in a plan, with central differences,
with the assembled sparse system solved by SciPy, with a hand-written backward pass, and the plans' and the
GPU's with the eager one on the CPU.

Prints one table; writes compare.png (loss curves, block pattern of I − L and D) and compare.json.
Exit status: 0 all bounds hold, 1 a bound is broken, 2 an option is wrong or a package is missing.
"""
INFO = """\
Print what the numbers of a run depend on: versions of gpuad, Python and the array libraries, the BLAS and the
core whose kernels it runs (with a WARNING where OPENBLAS_CORETYPE pins it), the GPU, its driver, CUDA and
memory, and whether plans run there as CUDA graphs.
"""
COVERAGE = """\
Print what becomes of every function of NumPy's namespaces (numpy, numpy.linalg, numpy.fft, the methods of ndarray) and of
SciPy's in gpuad.scipy when an argument is under differentiation: how many are differentiable, constant (the result carries no
derivative), passed through (no argument could be under differentiation) and refused (with a reason), by the versions of NumPy
and SciPy that are installed. Methods of SciPy's distributions count one each.
"""
EXAMPLES = """\
examples:
  gpuad compare                                          64-128-64-10, ReLU, float32: about ten seconds
  gpuad compare --widths 64-32-10 --activation tanh      another network
  gpuad compare --device cpu --dtype float64 --output results
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=32, width=100)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        return parsed.command(parsed)
    except OptionError as error:
        print(f"{parser.prog} {parsed.name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> _Parser:
    parser = _Parser(prog="gpuad", description=DESCRIPTION, formatter_class=_Help, allow_abbrev=False)
    commands = parser.add_subparsers(title="commands", dest="name", metavar="COMMAND", required=True)
    _add_compare(commands)
    _add_coverage(commands)
    info = commands.add_parser("info", help="print versions, the BLAS and its kernels, and the GPU",
                               description=INFO, formatter_class=_Help, allow_abbrev=False)
    info.set_defaults(command=_info)
    return parser


def _add_compare(commands: argparse._SubParsersAction) -> None:
    add = commands.add_parser("compare", help="train on digits and check the gradient, on CPU and GPU",
                              description=COMPARE, epilog=EXAMPLES, formatter_class=_Help, allow_abbrev=False)
    _add_training(add.add_argument_group("network and training"), Options)
    _add_place(add.add_argument_group("where and how"), Options)
    add.set_defaults(command=_compare)


def _add_coverage(commands: argparse._SubParsersAction) -> None:
    add = commands.add_parser("coverage", help="which functions of NumPy and SciPy are differentiable",
                              description=COVERAGE, formatter_class=_Help, allow_abbrev=False)
    add.add_argument("--all", action="store_true", help="the names too, with the reasons")
    add.add_argument("--status", choices=STATUSES, metavar="STATUS", help=f"the names of one status: {', '.join(STATUSES)}")
    add.add_argument("--markdown", action="store_true", help="as Markdown")
    add.set_defaults(command=_coverage)


def _add_training(network: argparse._ArgumentGroup, default: type[Options]) -> None:
    network.add_argument("--widths", type=_widths, default=default.widths, metavar="64-…-10",
                         help="width of every layer, pixels to classes "
                              f"(default {default().shape})")
    network.add_argument("--activation", choices=ACTIVATIONS, default=default.activation, metavar="NAME",
                         help=f"{', '.join(ACTIVATIONS)} (default {default.activation})")
    network.add_argument("--batch", type=int, default=default.batch, metavar="N",
                         help=f"images in a mini-batch (default {default.batch})")
    network.add_argument("--epochs", type=int, default=default.epochs, metavar="N",
                         help=f"passes over the training images (default {default.epochs})")
    network.add_argument("--learning-rate", type=float, default=default.learning_rate, metavar="X",
                         help="Adam's step at the start, which fades along half a cosine "
                              f"(default {default.learning_rate})")
    network.add_argument("--seed", type=int, default=default.seed, metavar="N",
                         help=f"of the split, the parameters and the batches (default {default.seed})")


def _add_place(where: argparse._ArgumentGroup, default: type[Options]) -> None:
    where.add_argument("--dtype", choices=DTYPES, default=default.dtype, metavar="NAME",
                       help="float32 or float64, for training and timing; gradients are always checked in "
                            f"float64, and in float32 too where it is chosen (default {default.dtype})")
    where.add_argument("--device", choices=DEVICES, default=default.device, metavar="NAME",
                       help="cpu, gpu, or auto: the CPU and, where there is one, the GPU (default auto)")
    where.add_argument("--eager", action="store_true", help="train without a plan (default: in one)")
    where.add_argument("--output", type=Path, default=default.output, metavar="FOLDER",
                       help=f"where compare.png and compare.json go (default {default.output}/)")
    where.add_argument("--no-progress", dest="progress", action="store_false",
                       help="lines for a log instead of a progress bar")


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.replace(",", "-").split("-"))
    except ValueError:
        message = f"{text!r}: expected whole numbers joined by '-', as in 64-128-64-10"
        raise argparse.ArgumentTypeError(message) from None


def _compare(parsed: argparse.Namespace) -> int:
    options = Options(**{name: getattr(parsed, name) for name in Options.__dataclass_fields__})
    require_demo_packages()
    from rich.console import Console

    from gpuad.compare.run import run

    return 0 if run(options, Console()).holds else 1


def _coverage(parsed: argparse.Namespace) -> int:
    from gpuad import coverage

    coverage.show(parsed.all, parsed.status, parsed.markdown)
    return 0


def _info(_parsed: argparse.Namespace) -> int:
    from gpuad import info

    print(info.report())
    return 0


if __name__ == "__main__":
    sys.exit(main())
