"""What a check found: violations with the lines that prove them, and losses that are allowed."""

import collections

SHOWN = 5


class Verdict:
    def __init__(self):
        self.violations = []  # (rule, text, lines)
        self.allowed = collections.defaultdict(list)  # reason -> the lines of each case
        self.facts = []

    def violation(self, rule, text, *lines):
        self.violations.append((rule, text, [line for line in lines if line is not None]))

    def allow(self, reason, *lines):
        self.allowed[reason].append([line for line in lines if line is not None])

    def fact(self, text):
        self.facts.append(text)

    @property
    def is_clean(self):
        return not self.violations

    def rules(self):
        return {rule for rule, _, _ in self.violations}

    def text(self, limit=SHOWN, with_allowed=False):
        """For people. At most `limit` violations of one rule are shown in full."""
        parts = list(self.facts)
        for reason, cases in sorted(self.allowed.items()):
            parts.append(f"allowed: {len(cases)} x {reason}")
            if with_allowed:
                parts += [f"    {line}" for lines in cases[:limit] for line in lines]
        by_rule = collections.defaultdict(list)
        for rule, text, lines in self.violations:
            by_rule[rule].append((text, lines))
        for rule, found in sorted(by_rule.items()):
            for text, lines in found[:limit]:
                parts.append(f"VIOLATION {rule}: {text}")
                parts += [f"    {line}" for line in lines]
            if len(found) > limit:
                parts.append(f"VIOLATION {rule}: and {len(found) - limit} more")
        if self.is_clean:
            parts.append("verdict: clean")
        else:
            counts = ", ".join(f"{len(found)} x {rule}" for rule, found in sorted(by_rule.items()))
            parts.append(f"verdict: {len(self.violations)} violations ({counts})")
        return "\n".join(parts)
