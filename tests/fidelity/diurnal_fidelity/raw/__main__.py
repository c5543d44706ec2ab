"""Raw words for other batteries: `python -m diurnal_fidelity.raw slots 1000000 | dieharder -g 200 -a`.

Writes so many little-endian 64-bit words of a direction to standard output.
"""

import sys

from diurnal_fidelity.raw.directions import DIRECTIONS

if __name__ == "__main__":
    direction, words = sys.argv[1], int(float(sys.argv[2]))
    sys.stdout.buffer.write(DIRECTIONS[direction](words).astype("<u8").tobytes())
