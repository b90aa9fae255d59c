"""First in, first out, with a second chance."""

from servers.memory.policies.fifo import FIFO
from servers.memory.policies.policy import Look


class SecondChance(FIFO):
    """The first in the queue goes, unless it was referenced since: then it queues again."""

    name = "second-chance"

    def victim(self, look: Look) -> int | None:
        """The first that was not referenced; if all were, the first of all."""
        queue = self._queue
        for _ in range(2 * len(queue)):  # in the second round nobody has a chance left
            page = next(iter(queue))
            if look.evictable(page) and not look.accessed(page):
                return page
            queue.move_to_end(page)
        return super().victim(look)
