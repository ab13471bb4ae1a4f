"""Counts what held and what did not."""


class Checks:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def that(self, name, condition, detail=""):
        self.passed, self.failed = (self.passed + 1, self.failed) if condition else (self.passed, self.failed + 1)
        print(f"  {'ok   ' if condition else 'FAIL '} {name} {'' if condition else str(detail)[:1500]}", flush=True)

    def same(self, name, one, other):
        """Compares two facts and shows where they differ."""
        self.that(name, one == other, f"\n    {one}\n    {other}")

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
