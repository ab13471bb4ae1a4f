"""Scenes of the search in messages."""

from urllib.parse import quote

from parts.caller import Caller, person
from parts.scenes.core import room_path, say


def search(recorder):
    rosa, sven, tilda = (person(recorder, name) for name in ("rosa.r", "sven.r", "tilda.r"))
    kitchen = rosa.post("kitchen", "createRoom", {"preset": "public_chat", "name": "Kitchen of teapots", "room_version": "11"})["room_id"]
    garden = rosa.post("garden", "createRoom", {"preset": "private_chat", "topic": "Teapots outside", "room_version": "11"})["room_id"]
    sven.post("joins", f"join/{quote(kitchen)}", {})
    say(rosa, kitchen, "A teapot, and another teapot, and more teapots", "s1")
    say(sven, kitchen, "No teapot of mine is here; cups are running over", "s2")
    say(rosa, garden, "The teapot stands far away from all the flowers of this garden in the evening", "s3")
    gone = say(rosa, garden, "A secret teapot", "s4")
    for number in range(5):
        say(sven, kitchen, f"counted cup number {number}", f"c{number}")

    def find(caller, label, term, query="", **more):
        body = {"search_categories": {"room_events": {"search_term": term, **more}}}
        return caller.post(label, f"search{query}", body).get("search_categories", {}).get("room_events", {})

    rosa.put("redacts", f"{room_path(garden)}/redact/{quote(gone)}/r1", {})
    find(rosa, "by rank", "teapots", keys=["content.body"], filter={"limit": 1})
    find(rosa, "by time", "teapot", order_by="recent")
    find(sven, "where he is", "teapot", order_by="recent")
    find(tilda, "where she is", "teapot", order_by="recent")
    find(rosa, "names", "kitchen", keys=["content.name"], order_by="recent")
    find(rosa, "topics", "outside", keys=["content.topic"], order_by="recent")
    find(rosa, "no keys that are known", "outside", keys=["content.nothing"], order_by="recent")
    find(rosa, "a phrase", '"cups are running"', order_by="recent")
    find(rosa, "one without the other", "teapot -mine", order_by="recent")
    find(rosa, "one or the other", "flowers or mine", order_by="recent")
    find(rosa, "stop words", "the", order_by="recent")
    find(rosa, "nothing", "", order_by="recent")
    find(rosa, "one room", "teapot", order_by="recent", filter={"rooms": [garden]})
    find(rosa, "not one room", "teapot", order_by="recent", filter={"not_rooms": [garden]})
    find(rosa, "one sender", "cup", order_by="recent", filter={"senders": [sven.user]})
    find(rosa, "one type", "teapot", order_by="recent", filter={"types": ["m.room.message"]})
    find(rosa, "with state", "flowers", order_by="recent", include_state=True)
    find(rosa, "with context", "mine", order_by="recent", event_context={"before_limit": 1, "after_limit": 2, "include_profile": True})
    find(rosa, "with the usual context", "mine", order_by="recent", event_context={})
    find(rosa, "with no context", "mine", order_by="recent", event_context={"before_limit": 0, "after_limit": 0})
    find(rosa, "by room", "teapot", order_by="recent", groupings={"group_by": [{"key": "room_id"}]})
    find(rosa, "by room and sender and rank", "more teapots", groupings={"group_by": [{"key": "room_id"}, {"key": "sender"}]}, filter={"limit": 1})
    find(rosa, "by nonsense", "teapot", groupings={"group_by": [{"key": "nonsense"}]})
    find(rosa, "by nothing", "teapot", groupings={"group_by": [{}]})
    find(rosa, "in no order", "teapot", order_by="nonsense")
    page = find(rosa, "first page", "counted", order_by="recent", filter={"limit": 2}, groupings={"group_by": [{"key": "room_id"}]})
    second = find(rosa, "second page", "counted", f"?next_batch={quote(page['next_batch'])}", order_by="recent", filter={"limit": 2})
    find(rosa, "third page", "counted", f"?next_batch={quote(second['next_batch'])}", order_by="recent", filter={"limit": 2})
    group = page["groups"]["room_id"][kitchen]["next_batch"]
    find(rosa, "page of a group", "counted", f"?next_batch={quote(group)}", order_by="recent", filter={"limit": 2})
    find(rosa, "page of nothing", "counted", "?next_batch=bm9uc2Vuc2U", order_by="recent")
    find(rosa, "page without a place", "counted", "?next_batch=YWxsCgp4", order_by="recent")
    rosa.post("no categories", "search", {})
    rosa.post("no term", "search", {"search_categories": {"room_events": {}}})
    rosa.ask("no JSON", "POST", "search", raw=b"x")
    Caller(recorder).post("nobody", "search", {"search_categories": {"room_events": {"search_term": "x"}}})
    say(rosa, kitchen, "a teapot to be changed", "e1")
    newer = rosa.post("upgrades", f"{room_path(kitchen)}/upgrade", {"new_version": "11"})["replacement_room"]
    find(rosa, "with the room before", "changed", order_by="recent", filter={"rooms": [newer]})


SCENES = [search]
