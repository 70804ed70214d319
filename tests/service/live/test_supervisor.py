"""The queue before the model worker: limits, clients that go away, deaths and what they cost. No worker is real."""

import threading
import time

import pytest
from unitscope.common.errors import ImageError, UnitscopeError, UsageError
from unitscope.service.errors import ModelChangedError, ModelUnavailableError
from unitscope.service.live.options import LiveOptions
from unitscope.service.live.process import WorkerDiedError
from unitscope.service.live.protocol import Message
from unitscope.service.live.supervisor import LiveModel


class Fake:
    """A worker process that does what the request's `do` says."""

    made: list["Fake"]

    def __init__(self):
        self.pid, self.alive = 1, True
        self.open = threading.Event()
        self.asked = []
        Fake.made.append(self)

    def ask(self, request, seconds):
        self.asked.append(request.head)
        do = request.head.get("do", "echo")
        if do == "wait":
            self.open.wait(10)
        if do == "die" or not self.alive:
            self.alive = False
            raise WorkerDiedError("exit code -9")
        if do == "limit":
            return Message({"limit": seconds})
        if do.startswith("error:"):
            return Message({"error": do[6:], "message": "why", "status": "too_large"})
        return Message({"echo": request.head["number"]}, request.body)

    def close(self):
        self.alive = False
        self.open.set()


class FakeZygote:
    """A zygote of fakes that is ready at once."""

    made: list["FakeZygote"]

    def __init__(self, threads):
        self.threads, self.alive, self.ready, self.stood_by = threads, True, True, True
        FakeZygote.made.append(self)

    def fork(self):
        if not self.alive:
            raise WorkerDiedError("it is gone")
        return Fake()

    def close(self):
        self.alive = False


@pytest.fixture(autouse=True)
def none_made():
    Fake.made, FakeZygote.made = [], []


@pytest.fixture
def live():
    models = []

    def make(**options):
        models.append(LiveModel(LiveOptions(**{"seconds": 10} | options), start=FakeZygote))
        return models[-1]

    yield make
    for model in models:
        model.close()


def head(do="echo", number=0, model="m"):
    return {"op": "x", "model": {"spec": model}, "do": do, "number": number}


def in_thread(function, *arguments, **options):
    """A thread that runs it, with `result` in the end: what it gave or raised."""

    def run():
        try:
            thread.result = function(*arguments, **options)
        except UnitscopeError as error:
            thread.result = error

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_answers_go_to_who_asked(live):
    model = live()
    threads = [in_thread(model.ask, head(number=number), b"%d" % number) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.join()
        assert (thread.result.head["echo"], thread.result.body) == (number, b"%d" % number)
    assert len(Fake.made) == 1
    assert model.status().answered == 8


def test_no_worker_is_started_before_it_is_needed(live):
    model = live()
    assert model.status().state == "idle"
    assert Fake.made == []


def test_a_service_without_a_model_says_so():
    with pytest.raises(ModelUnavailableError, match="without a model"):
        LiveModel(None).ask(head())


def test_a_full_queue_refuses(live):
    model = live(queue=3)
    first = in_thread(model.ask, head("wait"))
    until(lambda: Fake.made and Fake.made[0].asked)
    waiting = [in_thread(model.ask, head(number=number)) for number in range(3)]
    until(lambda: model.status().waiting == 3)
    for refused in (lambda: model.ask(head()), model.refuse_if_full):
        with pytest.raises(ModelUnavailableError, match="busy: 3 requests wait") as told:
            refused()
        assert told.value.retry_after
    Fake.made[0].open.set()
    for thread in [first, *waiting]:
        thread.join()
        assert isinstance(thread.result, Message)
    assert not model.full


def test_who_waits_too_long_is_told(live):
    model = live(seconds=0.3)
    first = in_thread(model.ask, head("wait"))
    until(lambda: Fake.made and Fake.made[0].asked)
    with pytest.raises(ModelUnavailableError, match=r"no answer in 0\.3 s"):
        model.ask(head())
    first.join()
    assert isinstance(first.result, ModelUnavailableError)
    Fake.made[0].open.set()
    until(lambda: model.status().state == "ready")
    assert [asked["do"] for asked in Fake.made[0].asked] == ["wait"]  # what was given up is not asked


def test_a_client_that_goes_away_gives_up_its_place(live):
    model = live(queue=1)
    first = in_thread(model.ask, head("wait"))
    until(lambda: Fake.made and Fake.made[0].asked)
    gone = threading.Event()
    second = in_thread(model.ask, head(number=2), gone=gone)
    until(lambda: model.full)
    gone.set()
    second.join(2)
    assert isinstance(second.result, ModelUnavailableError)
    assert not model.full
    third = in_thread(model.ask, head(number=3))
    Fake.made[0].open.set()
    first.join()
    third.join()
    assert third.result.head["echo"] == 3
    assert [asked["number"] for asked in Fake.made[0].asked] == [0, 3]


def test_a_first_request_of_a_model_may_take_longer(live):
    model = live(seconds=3, load_seconds=77)
    limits = [model.ask(head("limit", model=name)).head["limit"] for name in ("a", "a", "b", "a", "b")]
    assert limits == [77, 3, 77, 3, 3]


def test_a_death_fails_one_request_and_no_other(live):
    model = live()
    model.ask(head())
    Fake.made[0].open.clear()
    first = in_thread(model.ask, head("wait"))
    until(lambda: len(Fake.made[0].asked) == 2)
    second = in_thread(model.ask, head(number=2))
    until(lambda: model.status().waiting == 1)
    Fake.made[0].alive = False
    Fake.made[0].open.set()
    first.join()
    second.join()
    assert isinstance(first.result, ModelUnavailableError)
    assert "exit code -9" in str(first.result)
    assert first.result.retry_after
    assert second.result.head["echo"] == 2
    assert len(Fake.made) == 2
    assert model.status().restarts == 1


def test_an_idle_worker_that_dies_is_replaced_unasked(live):
    model = live()
    model.ask(head())
    Fake.made[0].alive = False
    until(lambda: len(Fake.made) == 2)
    until(lambda: model.status().state == "ready")


def test_each_further_death_costs_a_longer_pause(live):
    model = live()
    pauses = []
    for _ in range(4):
        until(lambda: model.status().retry_after == 0)
        with pytest.raises(ModelUnavailableError, match="died while it answered"):
            model.ask(head("die"))
        pauses.append(model.status().retry_after)
        if len(pauses) == 2:
            with pytest.raises(ModelUnavailableError, match="it is started again in") as told:
                model.ask(head())
            assert told.value.retry_after >= 1
    assert pauses[0] == 0
    assert 0.3 < pauses[1] <= 0.5 < pauses[2] <= 1 < pauses[3] <= 2
    until(lambda: model.status().retry_after == 0)
    assert model.ask(head(number=5)).head["echo"] == 5
    with pytest.raises(ModelUnavailableError):
        model.ask(head("die"))
    assert model.status().retry_after == 0  # an answer in between: the first death again


def test_a_worker_that_does_not_start_is_told():
    tries = []

    def fail(threads):
        tries.append(threads)
        raise WorkerDiedError("exit code 1")

    model = LiveModel(LiveOptions(threads=3), start=fail)
    for _ in range(2):
        with pytest.raises(ModelUnavailableError, match=r"did not start \(exit code 1\)") as told:
            model.ask(head())
        assert told.value.retry_after
    assert tries == [3, 3]
    model.close()


def test_all_workers_are_forked_from_one_zygote(live):
    model = live(threads=3)
    assert not model.status().spare
    model.ask(head())
    assert model.status().spare
    with pytest.raises(ModelUnavailableError):
        model.ask(head("die"))
    assert model.ask(head(number=7)).head["echo"] == 7
    assert [made.threads for made in FakeZygote.made] == [3]
    assert len(Fake.made) == 2


def test_a_zygote_that_dies_is_replaced_and_its_worker_goes_on(live):
    model = live()
    model.ask(head())
    FakeZygote.made[0].alive = False
    until(lambda: len(FakeZygote.made) == 2)
    until(lambda: model.status().spare)
    assert model.ask(head(number=7)).head["echo"] == 7
    assert len(Fake.made) == 1


def test_where_both_die_there_are_new_ones(live):
    model = live()
    model.ask(head())
    FakeZygote.made[0].alive = Fake.made[0].alive = False
    assert model.ask(head(number=7)).head["echo"] == 7
    assert (len(FakeZygote.made), len(Fake.made)) == (2, 2)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("image", ImageError),
        ("request", UsageError),
        ("changed", ModelChangedError),
        ("refused", UnitscopeError),
        ("unavailable", ModelUnavailableError),
    ],
)
def test_what_the_worker_refuses_is_raised(live, kind, error):
    with pytest.raises(error, match="why") as told:
        live().ask(head(f"error:{kind}"))
    assert type(told.value) is error


def test_closing_tells_who_waits(live):
    model = live()
    first = in_thread(model.ask, head("wait"))
    until(lambda: Fake.made and Fake.made[0].asked)
    second = in_thread(model.ask, head())
    until(lambda: model.status().waiting == 1)
    model.close()
    for thread in (first, second):
        thread.join(5)
        assert isinstance(thread.result, ModelUnavailableError)
    assert not Fake.made[0].alive
    assert not FakeZygote.made[0].alive
    with pytest.raises(ModelUnavailableError, match="stopping"):
        model.ask(head())
