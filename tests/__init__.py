"""The type checker that jaxtyping calls while the tests run."""

from beartype import BeartypeConf, beartype

# PEP 484: where a float is expected, an int is welcome.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
