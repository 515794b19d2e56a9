"""The virtual table: what is read, what is on screen, and where the cursor is when rows change."""

from collections.abc import Callable

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.widgets.table import Cell, Column, ListRows, VirtualTable

MANY = 100_000


class Squares:
    """Rows that are made when asked for, and that count how often they are asked."""

    def __init__(self, num_rows: int = MANY, first: int = 0) -> None:
        self.num_rows = num_rows
        self.first = first
        self.num_reads = 0
        self.changed: dict[tuple[int, str], Cell] = {}

    def cell(self, row: int, column: str) -> Cell:
        self.num_reads += 1
        number = row + self.first
        if (row, column) in self.changed:
            return self.changed[row, column]
        return f"run-{number}" if column == "name" else str(number * int(column[1:]))

    def key(self, row: int) -> str:
        return f"key-{row + self.first}"


COLUMNS = [Column("name", "name"), *(Column(f"c{i}", f"eval/m{i}", "right", min_width=8) for i in range(1, 20))]


class TableApp(App[None]):
    """A table alone on the screen."""

    def __init__(self, columns: list[Column] | None = None, frozen: int = 1) -> None:
        super().__init__()
        self.table = VirtualTable(COLUMNS if columns is None else columns, frozen=frozen)
        self.messages: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.animation_level = "none"

    def on_virtual_table_highlighted(self, message: VirtualTable.Highlighted) -> None:
        self.messages.append(("highlighted", message.key))

    def on_virtual_table_activated(self, message: VirtualTable.Activated) -> None:
        self.messages.append(("activated", message.key))

    def on_virtual_table_marked(self, message: VirtualTable.Marked) -> None:
        self.messages.append(("marked", message.key))

    def on_virtual_table_header_pressed(self, message: VirtualTable.HeaderPressed) -> None:
        self.messages.append(("header", message.key))

    def text(self) -> list[str]:
        return [self.table.render_line(y).text for y in range(self.table.size.height)]

    def screen_text(self) -> list[str]:
        """What the terminal shows, painted lines and kept ones."""
        lines = ["".join(segment.text for segment in line) for line in self.screen._compositor.render_strips()]
        return [line[:-1] for line in lines]  # without the scroll bar

    def watch_paints(self) -> list[int]:
        """Numbers of the lines that are painted from now on."""
        painted: list[int] = []
        paint = self.table.render_line

        def counted(y: int) -> object:
            painted.append(y)
            return paint(y)

        self.table.render_line = counted  # type: ignore[method-assign, assignment]  # a spy
        return painted


async def filled(pilot: Pilot[None], rows: Squares) -> VirtualTable:
    table = pilot.app.query_one(VirtualTable)
    table.set_rows(rows)
    await pilot.pause()
    return table


def named(*names: str) -> ListRows:
    return ListRows([(name, {"name": name, "c1": "1"}) for name in names])


async def test_a_long_table_reads_only_what_is_in_view() -> None:
    app, rows = TableApp(), Squares()
    async with app.run_test(size=(200, 50)) as pilot:
        table = await filled(pilot, rows)
        assert rows.num_reads < 50 * 20 * 4
        await pilot.press("end")
        await pilot.pause()
        assert table.cursor_key == f"key-{MANY - 1}"
        assert rows.num_reads < 50 * 20 * 6
        assert app.screen_text()[-2].split()[:2] == ["▸", f"run-{MANY - 1}"]


async def test_header_rows_and_hidden_columns() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await filled(pilot, Squares(100))
        text = app.screen_text()
        left, right = table.hidden_columns
        assert left == 0
        shown = text[0].split()
        assert shown == ["name", *(f"eval/m{i}" for i in range(1, 20 - right))]
        assert text[-1].strip() == f"+{right} columns →"
        assert text[5].split() == [f"run-{4}", *(str(4 * i) for i in range(1, 20 - right))]


async def test_columns_scroll_and_frozen_ones_stay() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await filled(pilot, Squares(100))
        table.focus()
        await pilot.press("right", "l")
        text = app.screen_text()
        assert text[0].split()[:3] == ["name", "│", "eval/m3"]
        assert text[-1].startswith(" ← 2 columns")
        await pilot.press(*["right"] * 30)
        assert table.hidden_columns[1] == 0
        assert app.screen_text()[0].split()[-1] == "eval/m19"
        await pilot.press("left")
        assert table.hidden_columns[1] == 1
        assert app.screen_text()[-1].rstrip().endswith("+1 column →")


async def test_a_number_is_never_cut_and_a_long_text_shows_that_it_is() -> None:
    columns = [Column("a", "a"), Column("b", "b", "right"), Column("c", "c", max_width=12)]
    app = TableApp(columns)
    async with app.run_test(size=(30, 6)) as pilot:
        app.table.set_rows(ListRows([("1", {"a": "x" * 12, "b": "12345678.9", "c": "a long text"})]))
        await pilot.pause()
        assert "12345678.9" in app.screen_text()[1]
        app.table.styles.width = 24
        await pilot.pause()
        assert "12345678.9" in app.screen_text()[1]
        assert "…" in app.screen_text()[1]
        assert app.table.hidden_columns == (0, 1)


async def test_columns_use_room_that_is_left_over() -> None:
    app = TableApp([Column("a", "a", max_width=10), Column("b", "b")])
    async with app.run_test(size=(80, 6)) as pilot:
        app.table.set_rows(ListRows([("1", {"a": "a text of thirty-one characters", "b": "x"})]))
        await pilot.pause()
        assert "a text of thirty-one characters  x" in app.screen_text()[1]


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        (["down", "j", "down"], 3),
        (["down", "down", "up", "k", "up"], 0),
        (["pagedown"], 21),
        (["ctrl+d"], 10),
        (["G"], 99),
        (["end", "pageup"], 78),
        (["end", "ctrl+u"], 89),
        (["end", "home"], 0),
        (["end", "g"], 0),
    ],
)
async def test_keys_move_the_cursor(keys: list[str], row: int) -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await filled(pilot, Squares(100))
        table.focus()
        await pilot.press(*keys)
        await pilot.pause()
        assert table.cursor_row == row
        assert app.messages[-1] == ("highlighted", f"key-{row}")
        assert [line.split()[1] for line in app.screen_text() if line.startswith("▸")] == [f"run-{row}"]


async def test_enter_and_space_name_the_row() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await filled(pilot, Squares(100))
        table.focus()
        await pilot.press("down", "space", "enter")
        await pilot.pause()
        assert app.messages[-2:] == [("marked", "key-1"), ("activated", "key-1")]


async def test_mouse() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await filled(pilot, Squares(100))
        await pilot.click(VirtualTable, offset=(10, 5))
        assert table.cursor_row == 4
        await pilot.click(VirtualTable, offset=(10, 7), times=2)
        assert app.messages[-1] == ("activated", "key-6")
        await pilot.click(VirtualTable, offset=(5, 0))
        assert app.messages[-1] == ("header", "name")
        await pilot.click(VirtualTable, offset=(18, 0))
        assert app.messages[-1] == ("header", "c1")
        await pilot.click(VirtualTable, offset=(10, 23))
        assert table.cursor_row == 6


async def test_the_cursor_stays_on_its_row_and_line_when_rows_come_and_go() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await filled(pilot, Squares(1000))
        table.focus()
        table.move_cursor(500)
        await pilot.press("up", "up", "up")
        line = [y for y, text in enumerate(app.screen_text()) if text.startswith("▸")]
        app.messages.clear()
        table.set_rows(Squares(1000, first=-7))
        await pilot.pause()
        assert (table.cursor_row, table.cursor_key) == (504, "key-497")
        assert [y for y, text in enumerate(app.screen_text()) if text.startswith("▸")] == line
        assert app.messages == []


async def test_at_the_top_new_rows_are_seen() -> None:
    app = TableApp(COLUMNS[:2])
    async with app.run_test(size=(80, 10)) as pilot:
        app.table.set_rows(named("b", "c"))
        await pilot.pause()
        app.table.set_rows(named("a", "b", "c"))
        await pilot.pause()
        assert app.table.cursor_key == "b"
        assert [line.split()[-2] for line in app.screen_text()[1:4]] == ["a", "b", "c"]


async def test_rows_in_view_stay_when_the_cursor_is_elsewhere() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await filled(pilot, Squares(1000))
        table.scroll_to(y=300, animate=False)
        await pilot.pause()
        before = app.screen_text()[1:-1]
        table.set_rows(Squares(1000, first=-40))
        await pilot.pause()
        assert app.screen_text()[1:-1] == before
        assert table.cursor_key == "key-0"


async def test_when_the_row_is_gone_the_cursor_stays_where_it_was() -> None:
    app = TableApp(COLUMNS[:2])
    async with app.run_test(size=(80, 10)) as pilot:
        app.table.set_rows(named("a", "b", "c"))
        app.table.move_cursor(1)
        app.table.set_rows(named("a", "c"))
        await pilot.pause()
        assert app.table.cursor_key == "c"
        app.table.set_rows(named())
        await pilot.pause()
        app.table.action_activate()
        await pilot.pause()
        assert app.messages[-1] == ("highlighted", "c")
        assert "nothing here yet" in "".join(app.screen_text())
        assert not any("c" in line.split() for line in app.screen_text())
        app.table.set_rows(named("x"))
        await pilot.pause()
        assert app.messages[-1] == ("highlighted", "x")


async def test_nothing_is_painted_when_nothing_changed() -> None:
    app = TableApp()
    async with app.run_test(size=(120, 40)) as pilot:
        table = await filled(pilot, Squares(1000))
        table.set_marks({"key-3": "●"})
        table.set_sort(("c1", True))
        await pilot.pause()
        painted = app.watch_paints()
        table.set_rows(Squares(1000))
        table.refresh_rows()
        table.set_marks({"key-3": "●", "key-900": "●"})
        table.set_sort(("c1", True))
        table.set_columns(list(COLUMNS))
        await pilot.pause()
        assert painted == []


async def test_only_touched_lines_are_painted() -> None:
    app, rows = TableApp(), Squares(1000)
    async with app.run_test(size=(120, 40)) as pilot:
        table = await filled(pilot, rows)
        table.focus()
        await pilot.pause()
        painted = app.watch_paints()
        await pilot.press("down")
        await pilot.pause()
        assert sorted(painted) == [1, 2]
        painted.clear()
        rows.changed[7, "c2"] = ("0.5", "good")
        rows.changed[800, "c2"] = "unseen"
        table.refresh_rows()
        await pilot.pause()
        assert painted == [8]
        painted.clear()
        table.set_marks({"key-4": "⚑"})
        await pilot.pause()
        assert painted == [5]
        assert app.screen_text()[5].startswith(" ⚑ run-4")


async def test_a_row_that_changed_out_of_view_is_right_when_it_comes_back() -> None:
    app, rows = TableApp(), Squares(1000)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await filled(pilot, rows)
        table.focus()
        await pilot.press("end")
        rows.changed[2, "c1"] = "new"
        table.refresh_rows()
        await pilot.press("home")
        await pilot.pause()
        assert app.screen_text()[3].split()[1] == "new"


async def test_a_column_grows_with_what_it_shows_and_does_not_shrink() -> None:
    app = TableApp([Column("name", "name"), Column("c1", "c1")])
    async with app.run_test(size=(80, 10)) as pilot:
        app.table.set_rows(named("a"))
        await pilot.pause()
        app.table.set_rows(ListRows([("a", {"name": "a-much-longer-name", "c1": "1"})]))
        await pilot.pause()
        assert "a-much-longer-name  1" in app.screen_text()[1]
        app.table.set_rows(named("a"))
        await pilot.pause()
        assert app.screen_text()[1].index("1") == 23


async def test_sort_marks() -> None:
    app = TableApp(COLUMNS[:4])
    async with app.run_test(size=(80, 10)) as pilot:
        table = await filled(pilot, Squares(5))
        table.set_sort(("c2", True))
        await pilot.pause()
        assert "eval/m2 ▼" in app.screen_text()[0]
        table.set_sort(("name", False), ("c2", True))
        await pilot.pause()
        assert "name ▲1" in app.screen_text()[0]
        assert "eval/m2 ▼2" in app.screen_text()[0]
        table.set_sort()
        await pilot.pause()
        assert app.screen_text()[0].split() == ["name", "eval/m1", "eval/m2", "eval/m3"]


async def test_new_columns_keep_the_place() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await filled(pilot, Squares(100))
        table.focus()
        await pilot.press("right", "right", "right")
        table.set_columns([COLUMNS[0], Column("c20", "eval/new", "right"), *COLUMNS[1:]])
        await pilot.pause()
        assert app.screen_text()[0].split()[2] == "eval/m4"
        assert table.hidden_columns[0] == 4


async def test_cells_are_data_and_not_terminal_commands() -> None:
    app = TableApp([Column("name", "na\x1bme")])
    async with app.run_test(size=(40, 6)) as pilot:
        app.table.set_rows(ListRows([("k", {"name": ("[red]x[/]\x1b]0;t\x07\nz", "no such style")})]))
        await pilot.pause()
        assert "na␛me" in app.screen_text()[0]
        assert "[red]x[/]␛]0;t␇⏎z" in app.screen_text()[1]


async def test_wide_characters_keep_the_columns_straight() -> None:
    app = TableApp([Column("name", "name", max_width=6), Column("c1", "c1"), Column("c2", "c2", width=60)])
    async with app.run_test(size=(60, 6)) as pilot:
        app.table.set_rows(ListRows([("1", {"name": "日本語", "c1": "x"}), ("2", {"name": "abcdef", "c1": "x"})]))
        await pilot.pause()
        assert [app.table.render_line(y).cell_length for y in (1, 2)] == [59, 59]
        assert app.screen_text()[1].index("x") + 3 == app.screen_text()[2].index("x")


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (10, 3), (400, 100)])
@pytest.mark.parametrize("num_rows", [0, 1, 300])
async def test_no_size_breaks_it(size: tuple[int, int], num_rows: int) -> None:
    app = TableApp(frozen=3)
    async with app.run_test(size=size) as pilot:
        table = await filled(pilot, Squares(num_rows))
        table.focus()
        await pilot.press("end", "right", "pageup", "left", "down", "enter", "space")
        await pilot.pause()
        assert {len(line) for line in app.screen_text()} == {size[0] - 1}


async def test_every_cell_has_a_background_of_the_theme() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 20)) as pilot:
        table = await filled(pilot, Squares(10))
        for theme in ("textual-light", "textual-dark"):
            app.theme = theme
            await pilot.pause()
            plain = table.rich_style.bgcolor
            for y in range(20):
                found = {segment.style.bgcolor for segment in table.render_line(y) if segment.style}
                assert len(found) == 1
                assert (found == {plain}) == (y > 1)
                assert all(segment.style for segment in table.render_line(y))


async def test_a_table_without_columns() -> None:
    app = TableApp([])
    async with app.run_test(size=(40, 8)) as pilot:
        await filled(pilot, Squares(10))
        app.table.set_columns(COLUMNS[:2])
        await pilot.pause()
        assert "run-3" in app.screen_text()[4]


def test_picture_of_experiments(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(experiments(), terminal_size=(80, 24), press=["down", "down", "right"])


def test_picture_of_experiments_in_a_wide_terminal(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(experiments(), terminal_size=(160, 20), press=["down"])


def experiments() -> App[None]:
    """A table that looks like the home screen."""
    states = [("✓", "good"), ("◐", "accent"), ("✗", "bad"), ("○", "muted")]
    columns = [
        Column("state", "", width=1),
        Column("name", "name", max_width=24),
        Column("method", "method"),
        *(Column(key, key, "right") for key in ("lr", "r", "eval/exact_match", "Δ main", "eval/loss", "tok/s")),
        Column("note", "note", max_width=30),
    ]
    rows: list[tuple[str, dict[str, Cell]]] = [("main", {"name": ("▾ main 3f2a91c", "strong"), "method": "lora"})]
    for i in range(30):
        delta: Cell = ("▲ +0.03", "good") if i % 3 == 0 else ("▼ -0.44", "bad")
        cells: dict[str, Cell] = {
            "state": states[i % 4],
            "name": f"  brisk-owl-{i}",
            "method": ["lora", "lora+dpo", "prompt", "full"][i % 4],
            "lr": f"{(i + 1) * 1e-5:.1e}",
            "r": str(2 ** (i % 5)),
            "eval/exact_match": f"{0.9 - i / 50:.2f}",
            "Δ main": delta,
            "eval/loss": f"{0.3 + i / 40:.3f}",
            "tok/s": f"{21 - i % 7}k",
            "note": ("failed: loss is not a number at step 40", "muted") if i % 4 == 2 else "",
        }
        rows.append((f"run-{i}", cells))

    class Experiments(TableApp):
        def on_mount(self) -> None:
            super().on_mount()
            self.table.set_rows(ListRows(rows))
            self.table.set_marks({"run-0": "●", "main": "⚑"})
            self.table.set_sort(("eval/exact_match", True))

    return Experiments(columns, frozen=2)
