"""The page of services is what the contract says of them now."""

from pathlib import Path

from lab.catalogue import services
from lab.reference import markdown

PAGE = Path(__file__).parents[2] / "docs" / "SERVICES.md"


def test_the_page_is_current() -> None:
    now = markdown(services()) + "\n"
    assert PAGE.read_text() == now, "make it anew: twinos services --markdown > docs/SERVICES.md"


def test_every_operation_is_on_it() -> None:
    page = PAGE.read_text()
    for service in services().values():
        assert f"\n## {service.__name__}\n" in page
        for operation in service.__ops__.values():
            assert operation.signature().replace("|", "\\|") in page
            assert operation.doc, f"{operation} says nothing of itself"
