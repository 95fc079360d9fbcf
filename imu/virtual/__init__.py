"""Virtual people, virtual sensors and a virtual radio, for demonstrations, tests and fitting."""
