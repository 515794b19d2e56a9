"""Params: in YAML 1.2, JSON, TOML and Python, and all the ways to track some of them."""

from tests.contract.repos.cases import Files, History, case, dvc_yaml, history, locked, stage
from tests.unit.store_repos import Content, RepoBuilder

WHOLE = "values.yaml"


def whole(*contents: Content) -> History:
    """A file that dvc.yaml names at the top, with other content in every commit."""
    first, *others = contents
    return history({"dvc.yaml": dvc_yaml(params=[WHOLE]), WHOLE: first}, *({WHOLE: content} for content in others))


def each(contents: dict[str, Content]) -> History:
    """Many files that dvc.yaml names at the top."""
    return history({"dvc.yaml": dvc_yaml(params=list(contents)), **contents})


@case("params")
def yaml_numbers(cache: RepoBuilder) -> History:
    return whole(
        "ints: [0, -1, +2, 017, 0o17, 0x1F, 0b11, 1_000, 00, -0, 1__0, 0o8, 0xg]\n"
        "floats: [1e5, 1E-5, 1e+5, .5, 1., -.5, 1.5e3, 1_0.5, .inf, -.INF, .NaN, 1e400, -0.0, 1e, 0.1e-320]\n"
        "clocks: [12:30, 1:30:00, 12:30.5]\n",
        "big: [9223372036854775807, 9223372036854775808, -9223372036854775809, 123456789012345678901234567890]\n"
        "long: [0.1000000000000000055511151231257827, 1.7976931348623157e308, 5e-324, 3.0, 1e3, 1e20, "
        "100000000000000000000.0]\n",
        "lr: 1.0e-05\nsame: 1\nother: 1.0\nflag: true\ntext: '1'\n",
    )


@case("params")
def yaml_words(cache: RepoBuilder) -> History:
    return whole(
        "words: [yes, no, on, off, y, n, Yes, NO, true, True, TRUE, tRue, false, null, Null, NULL, ~, nULL, none, '']\n"
        "quoted: ['yes', \"1\", '1e5', \"null\", 'it''s', \"tab\\tnew\\nline \\u00e9 \\x41\"]\n"
        "odd: [=, <<, '-', .., '...', a#b, 'a: b', http://x, -a, '@a', '%a', a:b, ?a, 1a, 0.1.2, +, '.']\n",
        "empty:\nlist: []\nmap: {}\nnothing: ~\nnested: {a: , b: [, ]}\n".replace("[, ]", "[]"),
    )


@case("params")
def yaml_dates(cache: RepoBuilder) -> History:
    return whole(
        "day: 2024-01-02\nmoment: 2024-01-02T03:04:05\nspaced: 2024-01-02 03:04:05.678\nzone: 2024-01-02T03:04:05Z\n"
        "offset: 2024-01-02T03:04:05+02:00\nshort: 2024-1-2\ntext: '2024-01-02'\nlist: [2024-01-02]\nno: 2024-13\n"
    )


@case("params")
def yaml_anchors(cache: RepoBuilder) -> History:
    return whole(
        "base: &base {lr: 1e-3, opt: {name: adam, eps: 1e-8}}\nuse: {<<: *base, lr: 2e-3}\n"
        "both: {<<: [*base, {more: 1, lr: 9}], own: 2}\nlist: &l [1, 2]\nagain: *l\n"
        "word: &w text\nsame: [*w, *w]\n",
        "a: &a {x: 1}\nb: &b\n  <<: *a\n  y: 2\nc:\n  <<: *b\n  x: 3\n",
    )


@case("params")
def yaml_keys(cache: RepoBuilder) -> History:
    return whole(
        "é: 1\n日本: {語: 2}\n'a.b': 3\na: {b: 4}\n1: one\n2.5: two\n'': empty\n'with space': 5\n\"q'u\\\"o\": 6\n"
        "'a/b': 7\n'x[0]': 8\n'a:b': 9\n-1: minus\n1e3: thousand\n",
        "true: yes\nfalse: no\nnull: nothing\n0x10: sixteen\n",
    )


@case("params")
def yaml_text(cache: RepoBuilder) -> History:
    return whole(
        "# a comment\n--- # start\nblock: |\n  one\n    two\n\n  three\nkeep: |+\n  a\n\nstrip: |-\n  a\n"
        "folded: >\n  one\n"
        '  two\n\n  three\nplain: one\n  two\n  three # no\ndouble: "one\n  two\\\n  three"\nlast: x\n...\n',
        "tagged: [!!str 1, !!int '2', !!float 3, !!float 1e3, !!bool 'true', !!null '']\n"
        "verbatim: !<tag:yaml.org,2002:str> 5\n",
        "\ufeffbom: 1\r\nwindows: 2\r\nlist:\r\n- a\r\n-   - b\r\n    - c\r\n- d: 1\r\n  e: 2\r\n",
    )


@case("params")
def yaml_directive(cache: RepoBuilder) -> History:
    return whole("%YAML 1.1\n---\na: yes\nb: 017\nc: 1e5\n", "%YAML 1.2\n---\na: yes\nb: 017\nc: 1e5\n")


@case("params")
def yaml_tops(cache: RepoBuilder) -> History:
    return each(
        {
            "empty.yaml": "",
            "comment.yaml": "# nothing\n",
            "null.yaml": "~\n",
            "list.yaml": "[1, {a: 2}]\n",
            "zero.yaml": "0\n",
            "word.yaml": "word\n",
            "false.yaml": "false\n",
            "true.yaml": "true\n",
            "number.yaml": "1.5\n",
            "no.suffix": "a: 1e5\n",
            "upper.YML": "a: 1\n",
            "spaces in name.yaml": "a: 1\n",
            "ü.yaml": "ü: 1\n",
        }
    )


@case("params")
def yaml_broken(cache: RepoBuilder) -> History:
    return each(
        {
            "several.yaml": "a: 1\n---\nb: 2\n",
            "twice.yaml": "a: 1\na: 2\n",
            "twice_as_bool.yaml": "1: a\ntrue: b\n",
            "twice_deep.yaml": "a: {b: 1, c: 2, b: 3}\n",
            "open.yaml": "a: [1\n",
            "tab.yaml": "a:\n\tb: 1\n",
            "alias.yaml": "a: *nowhere\n",
            "tag.yaml": "a: !mine 1\n",
            "python.yaml": "a: !!python/object:os.system x\n",
            "nul.yaml": b"a: \0\n",
            "merge.yaml": "a: {<<: 1}\n",
            "good.yaml": "a: 1\n",
        }
    )


@case("params")
def json_values(cache: RepoBuilder) -> History:
    return each(
        {
            "numbers.json": '{"i": 1, "f": 1.0, "e": 1e5, "E": 1E-7, "big": 123456789012345678901234567890, "neg": -0, '
            '"z": -0.0, "huge": 1e400, "long": 0.1000000000000000055511151231257827}',
            "special.json": '{"nan": NaN, "inf": Infinity, "minus": -Infinity, "deep": [NaN, {"x": NaN}]}',
            "text.json": '{"e": "\\u00e9\\ud83d\\ude00\\n", "é": "ü", "": "empty", "a.b": 1, "twice": 1, "twice": 2}',
            "nested.json": {"a": {"b": [1, {"c": None}], "d": {}}, "l": [], "t": True, "n": None},
            "list.json": "[1, 2]",
            "empty.json": "",
            "null.json": "null",
            "zero.json": "0",
            "word.json": '"text"',
            "comma.json": '{"a": 1,}',
            "rest.json": '{"a": 1} x',
            "comment.json": '// no\n{"a": 1}',
            "bom.json": "\ufeff{}",
            "single.json": "{'a': 1}",
            "tab.json": '{"a": "\t"}',
            "UPPER.JSON": '{"a": 1e2}',
        }
    )


@case("params")
def toml_values(cache: RepoBuilder) -> History:
    return each(
        {
            "values.toml": "i = 1\nf = 1.0\ne = 1e5\nbig = 1_000\nhex = 0xff\nnan = nan\ninf = -inf\nt = true\n"
            'text = """\none\ntwo"""\nraw = \'C:\\x\'\nlist = [1, [2.5, "x"]]\ninline = {a = 1, b = {c = 2}}\n'
            'a.b.c = 3\n"quoted key" = 4\n\n[table]\nx = 1\n[table.deep]\ny = 2\n[[many]]\nn = 1\n[[many]]\nn = 2\n'
            "[many.sub]\nz = 1\n",
            "dates.toml": "day = 2024-01-02\nmoment = 2024-01-02T03:04:05\nzone = 2024-01-02T03:04:05Z\n"
            "offset = 2024-01-02 03:04:05.5+02:00\n",
            "split.toml": "[a.b]\nx = 1\n[c]\ny = 1\n[a.d]\nz = 2\n[a]\nw = 3\n",
            "empty.toml": "",
            "twice.toml": "a = 1\na = 2\n",
            "broken.toml": "a = \n",
        }
    )


@case("params")
def python_values(cache: RepoBuilder) -> History:
    return each(
        {
            "plain.py": "import os\nA = 1\nB = -2.5\nC = 'x'\nD: int = 3\nE = True\nF = None\nG = [1, 'a', [2]]\n"
            "H = {'a': 1, 'b': {'c': -2}}\nI = (1, 2)\nJ = A + 1\nK = os.getcwd()\nL = M = 1\nN = 1e-5\nO: str\n"
            "P, Q = 1, 2\nR = 'a' 'b'\nT = 1_000\nU = 0o17\nV = -(1)\nW = not True\nX = f'{A}'\n"
            "Y = [A, 1]\nZ = {'k': A}\nAA = {1: 'int key', 2.5: 'f'}\nBB = b'x' if False else 1\nA = 10\n"
            "obj.attr = 1\n",
            "classes.py": "class Train:\n    lr = 1e-3\n    class Deep:\n        n: int = 1\n    def __init__(self):\n"
            "        self.layers = 5\n        self.names: list = ['a']\n        local = 1\n        other.x = 2\n"
            "    def method(self):\n        self.hidden = 9\n    async_value = -1\n\ndef function():\n    x = 1\n\n"
            "def __init__(self):\n    self.top = 1\nif True:\n    inside = 1\n",
            "broken.py": "A = (\n",
            "empty.py": "",
        }
    )


@case("params")
def tracked_keys(cache: RepoBuilder) -> History:
    values = (
        "train: {lr: 1e-3, opt: {name: adam, eps: 1e-8}, layers: [1, {n: 2}, 3]}\nseed: 1\nflag: true\nempty: {}\n"
        "list: [a, b, c]\n'dotted.key': 5\nnone: ~\n"
    )
    picked: Files = {
        "dvc.yaml": dvc_yaml(
            stages={
                "dotted": {"cmd": "x", "params": ["train.lr", "train.opt.name", {"other.yaml": ["a.b", "missing"]}]},
                "lists": {"cmd": "x", "params": [{"l.yaml": ["list", "list.1", "train.layers.1.n"]}]},
                "globs": {"cmd": "x", "params": [{"g.yaml": ["train.*", "s*"]}, {"g2.json": ["a.*.x"]}]},
                "missing": {"cmd": "x", "params": [{"m.yaml": ["no", "no.thing", "train.lr.deeper", "none"]}]},
                "dotted_key": {"cmd": "x", "params": [{"d.yaml": ["dotted.key"]}]},
                "some": {"cmd": "x", "params": [{"both.yaml": ["seed"]}, {"pair.yaml": ["train.lr"]}]},
                "all": {"cmd": "x", "params": [{"both.yaml": None}, {"pair.yaml": ["train.opt"]}]},
                "toml": {"cmd": "x", "params": [{"t.toml": ["a.b"]}, {"p.py": ["Train.lr", "N"]}]},
                "odd": {
                    "cmd": "x",
                    "params": [{"e.yaml": ["a.b", "*"]}, {"deep.yaml": ["a.b"]}, {"k.yaml": ["a/b", "é.*", "[x]"]}],
                },
                "typed": {"cmd": "x", "params": [{"n.yaml": ["1", "2.5", "true", "deep.1"]}]},
            }
        ),
        **{f"{name}.yaml": values for name in ("params", "l", "g", "m", "d", "both", "pair")},
        "other.yaml": "a: {b: 1, c: 2}\nz: 3\n",
        "e.yaml": "'': 1\na: {b: 2}\n",
        "deep.yaml": "a: {b: 1, c: {'': 2}}\n",
        "k.yaml": "a/b: 1\né: {ü: 2, ö: [3]}\n'[x]': 4\n'*': 5\n",
        "n.yaml": "1: one\n2.5: two\ndeep: {1: x, 2: y}\n",
        "g2.json": {"a": {"p": {"x": 1, "y": 2}, "q": {"x": 3}}, "b": 1},
        "t.toml": "[a]\nb = 1\nc = 2\n",
        "p.py": "N = 1\nclass Train:\n    lr = 2\n    other = 3\n",
    }
    return history(
        picked, [{"params.yaml": "train: {lr: 5}\n"}, {"l.yaml": "list: 1\n", "g.yaml": "train: 3\n"}], {"m.yaml": None}
    )


@case("params")
def params_of_a_stage_elsewhere(cache: RepoBuilder) -> History:
    pipeline = stage(wdir="work", params=["lr", {"../up.yaml": ["a"]}, {"deep/p.json": None}])
    return history(
        {
            "dvc.yaml": pipeline,
            "params.yaml": "lr: 1\nnot: shown\n",
            "up.yaml": "a: 1\nb: 2\n",
            "work/params.yaml": "lr: 2\nrest: 3\n",
            "work/deep/p.json": {"x": 1},
        },
        [{"work/params.yaml": "lr: 5\n"}, {"work/params.yaml": None}],
    )


@case("params")
def params_in_a_folder(cache: RepoBuilder) -> History:
    return history(
        {
            "dvc.yaml": dvc_yaml(params=["conf", "./conf/../other/x.yaml"]),
            "conf/a.yaml": "a: 1\n",
            "conf/deep/b.json": {"b": 2},
            "other/x.yaml": "x: 1\n",
        },
        [{"conf/new.toml": "n = 1\n", "conf/a.yaml": None}],
    )


@case("params")
def params_made_by_a_stage(cache: RepoBuilder) -> History:
    cached, changed = cache.cache(b"found: {lr: 1e-5}\nrest: 1\n"), cache.cache(b"found: {lr: 2}\n")
    pipeline = dvc_yaml(
        stages={
            "search": {"cmd": "x", "outs": ["best.yaml", {"plain.yaml": {"cache": False}}]},
            "use": {"cmd": "x", "params": [{"best.yaml": ["found"]}, {"plain.yaml": None}], "deps": ["best.yaml"]},
        }
    )
    files = {"search": {"outs": {"best.yaml": cached, "plain.yaml": "1" * 32}}, "use": {"deps": {"best.yaml": cached}}}
    return history(
        {"dvc.yaml": pipeline, "dvc.lock": locked(**files), "plain.yaml": "p: 1\n"},
        [{"dvc.lock": locked(search={"outs": {"best.yaml": changed}})}, {"dvc.lock": None}],
    )


@case("params")
def params_that_are_gone(cache: RepoBuilder) -> History:
    pipeline = dvc_yaml(params=["top.yaml"], stages={"s": {"cmd": "x", "params": ["lr", {"gone.yaml": ["a"]}]}})
    return history({"dvc.yaml": pipeline}, {"params.yaml": "lr: 1\n", "top.yaml": "a: 1\n"}, {"params.yaml": None})


@case("params")
def only_the_lock_changes(cache: RepoBuilder) -> History:
    """Values of params in dvc.lock are those of the last run; those of the files count."""
    lock = locked(s={"outs": {"o": "1" * 32}}) + "    params:\n      params.yaml:\n        lr: 99\n"
    files = {"dvc.yaml": stage(params=["lr"], outs=["o"]), "params.yaml": "lr: 1\n", "dvc.lock": lock}
    return history(files, [{"dvc.lock": lock.replace("99", "98")}])
