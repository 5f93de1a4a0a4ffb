"""What a build does before it runs blocks: fetch data, and collect the times of recorded devices."""

import data
import step_times

for name in data.DATA_SETS:
    data.prepare(name)
step_times.write()
