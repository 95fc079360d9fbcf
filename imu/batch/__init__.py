"""Many recordings -> two tables: one row for each repetition, one row for each recording.

`sources` lists the recordings and counts one of them, `results` keeps the results and writes the tables, and
`workers` distributes the work over processes of this computer or the workers of a Dask cluster.
"""
