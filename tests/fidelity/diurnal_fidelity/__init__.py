"""Exactness at scale: `make fidelity` watches 10^9 events and asks whether they are the process they claim.

`scenarios` says which worlds, `columns` what is known of each tick, and each module of `questions` and of
`raw` asks one kind of question and answers with p-values. `running` shares the work between processes,
`defects` plants mistakes that must be found, `verdict` judges all p-values as one family, `report` and
`pictures` write the result.
"""
