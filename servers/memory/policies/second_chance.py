"""First in, first out, with a second chance."""

from servers.memory.policies.fifo import FIFO
from servers.memory.policies.policy import Look


class SecondChance(FIFO):
    """The first in the queue goes, unless it was referenced since: then it queues again."""

    name = "second-chance"

    def victim(self, look: Look) -> int:
        """The first that was not referenced; if all were, the first of all."""
        page = super().victim(look)
        while look.accessed(page):
            self.forget(page)
            self.admit(page)
            page = super().victim(look)
        return page
