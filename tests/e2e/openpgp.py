"""OpenPGP packets, for tests that parse and reassemble messages (RFC 4880, section 4)."""

import ctypes
import dataclasses

PKESK, LITERAL, SEALED_MDC, SEALED_OCB = 1, 11, 18, 20
FINALIZE = 5  # gcry_cipher_final() in gcrypt.h


@dataclasses.dataclass
class Packet:
    """One packet: its tag and its whole body."""
    tag: int
    body: bytes


def _new_length(data, at):
    """Returns (length, whether more parts follow, offset of the body)."""
    first = data[at]
    if first < 192:
        return first, False, at + 1
    if first < 224:
        return (first - 192 << 8) + data[at + 1] + 192, False, at + 2
    if first < 255:
        return 1 << (first & 31), True, at + 1
    return int.from_bytes(data[at + 1:at + 5], "big"), False, at + 5


def parse(data):
    """Returns all packets of a binary message."""
    packets, at = [], 0
    while at < len(data):
        first, at = data[at], at + 1
        body, more = b"", True
        if first & 0x40:
            tag = first & 0x3F
            while more:
                length, more, at = _new_length(data, at)
                body, at = body + data[at:at + length], at + length
        else:
            tag, count = first >> 2 & 15, 1 << (first & 3)
            length = int.from_bytes(data[at:at + count], "big")
            body, at = data[at + count:at + count + length], at + count + length
        packets.append(Packet(tag, body))
    return packets


def old_format(packet, count=None):
    """Returns the packet in the old format with a length field of count bytes (1, 2 or 4)."""
    count = count or next(n for n in (1, 2, 4) if len(packet.body) < 1 << 8 * n)
    return bytes([0x80 | packet.tag << 2 | {1: 0, 2: 1, 4: 2}[count]]) + len(packet.body).to_bytes(count, "big") + packet.body


def new_length(size, longest=False):
    if longest:
        return b"\xff" + size.to_bytes(4, "big")
    if size < 192:
        return bytes([size])
    if size < 8384:
        return bytes([(size - 192 >> 8) + 192, (size - 192) & 255])
    return b"\xff" + size.to_bytes(4, "big")


def new_format(packet, longest=False):
    return bytes([0xC0 | packet.tag]) + new_length(len(packet.body), longest) + packet.body


def in_pieces(packet, *powers):
    """Returns the packet in the new format with partial bodies: their sizes are 2 to these powers, and the rest is the last."""
    out, rest = bytes([0xC0 | packet.tag]), packet.body
    for power in powers:
        out, rest = out + bytes([0xE0 | power]) + rest[:1 << power], rest[1 << power:]
    return out + new_length(len(rest)) + rest


def literal(data, mode=b"b", name=b""):
    return Packet(LITERAL, mode + bytes([len(name)]) + name + bytes(4) + data)


# --- packet 20, which gpg 2.2 reads but does not write --------------------------------------

def seal_ocb(content, session, chunk_power=10, iv=bytes(range(15))):
    """session has the format of gpg --show-session-key, "9:HEX"; chunk_power is the packet's value."""
    cipher, key = int(session.split(":")[0]), bytes.fromhex(session.split(":")[1])
    head, body = bytes([1, cipher, 2, chunk_power]), b""
    size = 1 << chunk_power + 6
    chunks = [content[at:at + size] for at in range(0, len(content), size)]
    for number, chunk in enumerate(chunks):
        body += _ocb(key, iv, number, bytes([0xD4]) + head + number.to_bytes(8, "big"), chunk)
    last = bytes([0xD4]) + head + len(chunks).to_bytes(8, "big") + len(content).to_bytes(8, "big")
    return Packet(SEALED_OCB, head + iv + body + _ocb(key, iv, len(chunks), last, b""))


def _ocb(key, iv, number, associated, plain):
    """Encrypts a chunk with libgcrypt; returns ciphertext and tag."""
    gcrypt = ctypes.CDLL("libgcrypt.so.20")
    gcrypt.gcry_check_version(None)
    handle, size = ctypes.c_void_p(), ctypes.c_size_t
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(15, "big")
    out, tag = ctypes.create_string_buffer(len(plain) or 1), ctypes.create_string_buffer(16)
    gcrypt.gcry_cipher_open.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_uint]
    assert gcrypt.gcry_cipher_open(ctypes.byref(handle), {16: 7, 24: 8, 32: 9}[len(key)], 11, 0) == 0
    steps = [gcrypt.gcry_cipher_setkey(handle, key, size(len(key))),
             gcrypt.gcry_cipher_setiv(handle, nonce, size(15)),
             gcrypt.gcry_cipher_authenticate(handle, associated, size(len(associated))),
             gcrypt.gcry_cipher_ctl(handle, FINALIZE, None, size(0)),
             gcrypt.gcry_cipher_encrypt(handle, out, size(len(plain)), plain, size(len(plain))),
             gcrypt.gcry_cipher_gettag(handle, tag, size(16))]
    gcrypt.gcry_cipher_close(handle)
    assert steps == [0] * len(steps), steps
    return out.raw[:len(plain)] + tag.raw
