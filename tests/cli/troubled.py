"""A site directory in which everything that can be wrong with plugins is wrong."""

from __future__ import annotations

from tests.fake_distributions import Site, backbones_source

BROKEN = {
    "import-ears": "import no_such_module_anywhere",
    "exit-ears": "raise SystemExit(3)",
    "syntax-ears": "def hook(:",
    "field-ears": (
        "from bastzoo import Component, hookimpl\n@hookimpl\n"
        "def bastzoo_losses(): return [Component(kind='loss', name='x', target='a:b')]"
    ),
    "type-ears": (
        "from bastzoo import Component, hookimpl\n@hookimpl\ndef bastzoo_losses(): "
        "return [Component(kind='loss', name='x', target='a:b', summary='x', requires='torch')]"
    ),
}


def install_troubles(site: Site) -> None:
    """Install the broken ones, two in conflict, one that prints, one missing its requirement."""
    for name, source in BROKEN.items():
        site.install_module(name, source)
    site.install_backbones("north", "gru")
    site.install_backbones("south", "gru", "tcn")
    site.install_module("loud-ears", "print('loud')\n" + backbones_source("loud"))
    needy = backbones_source("needy").replace("summary=", "requires=('no_such_module',), summary=")
    site.install_module("needy-ears", needy)
