"""Parameters of H.264 streams, as MP4 files and encoders store them."""

_SPS, _PPS = 7, 8  # kinds of units: parameters of the sequence, and of its pictures
_KIND = 0x1F  # bits of a unit's first byte


def same_parameters(one: bytes | None, two: bytes | None) -> bool:
    """Whether frames of two streams can follow each other in one, by their extradata in either form."""
    return one is not None and two is not None and _parameters(one) == _parameters(two)


def _parameters(extradata: bytes) -> list[bytes]:
    """The sequence's and pictures' parameter sets, in order."""
    units = _counted_units(extradata) if extradata[:1] == b"\1" else _marked_units(extradata)
    return [unit for unit in units if unit and unit[0] & _KIND in (_SPS, _PPS)]


def _counted_units(avcc: bytes) -> list[bytes]:
    """Units of an MP4's header (ISO/IEC 14496-15, 5.3.3.1): after five bytes, twice their number and each with its length."""
    units, at = [], 5
    for mask in (0x1F, 0xFF):
        if at >= len(avcc):
            break
        number, at = avcc[at] & mask, at + 1
        for _ in range(number):
            length = int.from_bytes(avcc[at : at + 2], "big")
            units.append(avcc[at + 2 : at + 2 + length])
            at += 2 + length
    return units


def _marked_units(annexed: bytes) -> list[bytes]:
    """Units of an encoder's stream (H.264, annex B): a mark before each, and perhaps zeros after it."""
    return [unit.rstrip(b"\0") for unit in annexed.split(b"\0\0\1")]
