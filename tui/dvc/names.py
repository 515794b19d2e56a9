"""Names of experiments: checked before anything is started, or made up."""

import random

from tui.core.errors import UsageError
from tui.core.names import NAME_RULES, name_problem
from tui.dvc.git import git, try_git
from tui.dvc.project import Project

_ADJECTIVES = """
able airy apt arid avid bold brave brief bright brisk calm chief civil clean clear close cool crisp daring deep deft
dry eager early easy equal even exact fair fast fine firm fleet fond frank free fresh full gentle glad golden good
grand great green handy happy hardy honest humble ideal jolly keen kind late lean light lively lucid lucky major
mellow merry mild modest neat new nimble noble novel odd open patient plain polite prime proud pure quick quiet
rapid rare ready rich ripe round royal safe sharp shy silent simple sleek slim slow smart smooth snug sober soft
solid spare spry stable steady still stout strong subtle sunny sure sweet swift tall tame tidy tiny top trim true
upbeat valid vast vivid warm wary wide wild wise witty young zesty
"""
_ANIMALS = """
ant ape asp auk bat bear bee bird bison boar bug bull camel carp cat clam cod colt crab crane crow cub deer dingo
dodo dog dove duck eagle eel elk emu ewe falcon finch fish flea fly fox frog gecko gnat gnu goat goose grouse gull
hare hawk hen heron horse hound ibex ibis jackal jay kite kiwi koala krill lamb lark lemur lion llama loon louse
lynx macaw mink mole moose moth mouse mule newt okapi orca oryx otter owl ox panda perch pig pike pony puffin pug
puma quail ram rat raven ray robin rook seal shark sheep shrew shrimp skunk sloth slug snail snake sole squid stag
stork swan swift tapir tern tiger toad trout tuna viper vole wasp whale wolf wombat worm wren yak zebra
"""


def exps_namespace(baseline: str) -> str:
    """Where DVC keeps the experiments of a baseline."""
    return f"refs/exps/{baseline[:2]}/{baseline[2:]}"


def experiment_names(project: Project) -> set[str]:
    """Names of the experiments of the baseline."""
    namespace = exps_namespace(project.baseline)
    output = git(project.root, "for-each-ref", "--format=%(refname)", namespace)
    return {line.removeprefix(namespace + "/") for line in output.splitlines()}


def check_name(name: str, project: Project, taken: set[str]) -> None:
    """UsageError unless an experiment can have this name."""
    reason = name_problem(name) if name else "it is empty"
    if not reason and try_git(project.root, "check-ref-format", f"{exps_namespace(project.baseline)}/{name}") is None:
        reason = "Git does not allow it"
    if reason:
        raise UsageError("this name cannot be used for an experiment", f"{name!r}: {reason}", f"use {NAME_RULES}")
    if name in taken:
        hint = f"choose another name, or remove that experiment: dvc exp remove {name}"
        raise UsageError("an experiment of that name exists already", repr(name), hint)


def make_name(taken: set[str]) -> str:
    """A name that nobody has, such as `brisk-owl`."""
    choose = random.SystemRandom()
    adjectives, animals = _ADJECTIVES.split(), _ANIMALS.split()
    for _ in range(1_000):
        name = f"{choose.choice(adjectives)}-{choose.choice(animals)}"
        if name not in taken:
            return name
    return f"{name}-{choose.randrange(16**6):06x}"
