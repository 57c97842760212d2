"""State cases: queries in lists and watches."""

from __future__ import annotations

import pytest

from cosi.errors import InvalidResource
from cosi.state._query import LabelOp, LabelTerm, Query
from cosi.state._state import State
from cosi.state._watch import EventType, Start
from cosi.testing.conformance.state_cases import (
    PathKind,
    StateCases,
    expect,
    ids,
    path,
    relabelled,
    until,
)


def label(key: str, op: LabelOp, *values: str, invert: bool = False) -> LabelTerm:
    """A label term with its values as arguments."""
    return LabelTerm(key, op, values, invert)


APP = label("app", LabelOp.EXISTS)
WEB = label("app", LabelOp.EQUAL, "web")
DB = label("app", LabelOp.EQUAL, "db")


class QueryCases(StateCases):
    """COSI: TestIDQuery, TestLabels, TestWatchKindWithLabels, ..."""

    async def test_id_query(self, state: State, paths: PathKind) -> None:
        names = [f"idquery/path{n}" for n in range(10)]
        for name in names:
            await state.create(path(paths, name))
        where = Query(id="^idquery/.+[2-4]$")
        expected = names[2:5]
        assert ids(await state.list(paths, where)) == expected

        async with state.watch(paths, where=where, start=Start(contents=True)) as watch:
            *contents, last = await until(watch, EventType.BOOTSTRAPPED)
            assert [(e.type, e.resource.id) for e in contents] == [
                (EventType.CREATED, name) for name in expected
            ]
            assert (last.resource.namespace, last.resource.type) == (paths.namespace, paths.type)
            for name in names:
                await state.destroy(paths, name)
                if name in expected:
                    await expect(watch, (EventType.DESTROYED, name))

    async def test_labels(self, state: State, paths: PathKind) -> None:
        everything = {
            "a": {"app": "web", "size": "10kg", "grade": "b"},
            "b": {"app": "db", "size": "12000"},
            "c": {"app": "web", "size": "13k", "grade": "c"},
            "d": {"app": ""},
            "e": {},
        }
        for id, labels in everything.items():
            await state.create(path(paths, id, labels=labels))

        async def listed(*branches: tuple[LabelTerm, ...]) -> str:
            return "".join(ids(await state.list(paths, Query(branches))))

        not_web = label("app", LabelOp.EQUAL, "web", invert=True)
        assert await listed() == "abcde"
        assert await listed((APP,)) == "abcd"
        assert await listed((label("app", LabelOp.EXISTS, invert=True),)) == "e"
        assert await listed((APP, WEB)) == "ac"
        assert await listed((APP, label("app", LabelOp.EQUAL, "nothing"))) == ""
        assert await listed((DB,)) == "b"
        assert await listed((label("app", LabelOp.EQUAL, ""),)) == "d"
        assert await listed((label("app", LabelOp.IN, "db", "web"),)) == "abc"
        assert await listed((label("app", LabelOp.IN),)) == ""
        assert await listed((not_web,)) == "bde"
        assert await listed((label("size", LabelOp.LT_NUMERIC, "12000"),)) == "a"
        assert await listed((label("size", LabelOp.LTE_NUMERIC, "12k"),)) == "ab"
        assert await listed((label("size", LabelOp.LT_NUMERIC, "12k", invert=True),)) == "bc"
        assert await listed((label("size", LabelOp.LT_NUMERIC, "many", invert=True),)) == ""
        assert await listed((label("grade", LabelOp.LT, "c"),)) == "a"
        assert await listed((label("grade", LabelOp.LTE, "c"),)) == "ac"
        assert await listed((WEB,), (DB,)) == "abc"
        assert await listed((WEB, label("grade", LabelOp.EQUAL, "c")), (not_web, APP)) == "bcd"

    async def test_a_query_of_several_branches_stays_in_its_kind(
        self, state: State, paths: PathKind
    ) -> None:
        """differences: COSI 6: an unparenthesised OR showed resources of other kinds."""
        elsewhere = type(paths)("elsewhere", paths.type, paths.payload)
        await state.create(path(elsewhere, "other", labels={"app": "db"}))
        await state.create(path(paths, "mine", labels={"app": "web"}))
        assert ids(await state.list(paths, Query(((WEB,), (DB,))))) == ["mine"]

    async def test_labels_are_found_after_they_changed(self, state: State, paths: PathKind) -> None:
        stored = await state.create(path(paths, "a", labels={"app": "web"}))
        assert ids(await state.list(paths, Query(((WEB,),)))) == ["a"]
        await state.update(relabelled(stored, app="db"))
        assert await state.list(paths, Query(((WEB,),))) == ()
        assert ids(await state.list(paths, Query(((DB,),)))) == ["a"]
        await state.destroy(paths, "a")
        assert await state.list(paths, Query(((DB,),))) == ()

    async def test_a_pattern_that_does_not_compile_is_refused(
        self, state: State, paths: PathKind
    ) -> None:
        with pytest.raises(InvalidResource, match="not a regular expression"):
            await state.list(paths, Query(id="["))

    async def test_watch_kind_with_labels(self, state: State, paths: PathKind) -> None:
        """An update that enters a selection is a creation, one that leaves it a destruction."""
        await state.create(path(paths, "other"))
        first = await state.create(path(paths, "first", labels={"app": "web"}))
        contents = Start(contents=True)
        async with (
            state.watch(paths, where=Query(((WEB,),)), start=contents) as web,
            state.watch(paths, where=Query(((APP,),)), start=contents) as app,
            state.watch(paths, where=Query(((WEB,), (DB,))), start=contents) as either,
        ):
            for watch in (web, app, either):
                await expect(watch, (EventType.CREATED, "first"), (EventType.BOOTSTRAPPED, ""))

            second = await state.create(path(paths, "second"))
            second = await state.update(relabelled(second, app="db"))
            for watch in (app, either):
                (entered,) = await expect(watch, (EventType.CREATED, "second"))
                assert entered.old is None

            second = await state.update(relabelled(second, app="web", more="yes"))
            (entered,) = await expect(web, (EventType.CREATED, "second"))
            assert entered.old is None
            for watch in (app, either):
                (updated,) = await expect(watch, (EventType.UPDATED, "second"))
                assert updated.old is not None
                assert updated.old.labels == {"app": "db"}

            await state.update(relabelled(first, app="other"))
            for watch in (web, either):
                (left,) = await expect(watch, (EventType.DESTROYED, "first"))
                assert left.old is None
                assert left.resource.labels == {"app": "other"}
            await expect(app, (EventType.UPDATED, "first"))

            await state.destroy(paths, "second")
            for watch in (web, app, either):
                await expect(watch, (EventType.DESTROYED, "second"))

    async def test_watch_kind_aggregated_with_labels(self, state: State, paths: PathKind) -> None:
        await state.create(path(paths, "first", labels={"app": "web"}))
        await state.create(path(paths, "other"))
        web = Query(((WEB,),))
        async with state.watch(paths, where=web, start=Start(contents=True)) as watch:
            batch = await watch.batch()
            assert [event.type for event in batch] == [EventType.CREATED, EventType.BOOTSTRAPPED]
            await state.create(path(paths, "unseen"))
            await state.create(path(paths, "second", labels={"app": "web"}))
            assert [event.resource.id for event in await watch.batch()] == ["second"]
