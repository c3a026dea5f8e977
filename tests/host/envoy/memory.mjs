// The module's memory, through which host and module exchange data.

// The module has named memory outside its own. The host answers with InvalidMemoryAccess.
export class OutOfBounds extends Error {}

export class Memory {
  #exports;

  constructor(exports) {
    this.#exports = exports;
  }

  get size() {
    return this.#exports.memory.buffer.byteLength;
  }

  // Returns a copy, because the module's memory may grow and move at its next call.
  read(pointer, length) {
    const start = pointer >>> 0;
    const end = start + (length >>> 0);
    if (end > this.size) {
      throw new OutOfBounds();
    }
    return Buffer.from(this.#exports.memory.buffer.slice(start, end));
  }

  text(pointer, length) {
    return this.read(pointer, length).toString('utf8');
  }

  writeWord(pointer, value) {
    this.#view(pointer, 4).setUint32(0, value >>> 0, true);
  }

  writeLong(pointer, value) {
    this.#view(pointer, 8).setBigUint64(0, value, true);
  }

  // Gives the module a copy, in memory that the module allocates; for zero bytes nothing is allocated (WasmBase::copyToPointerSize).
  give(bytes, pointerPointer, sizePointer) {
    const pointer = bytes.length === 0 ? 0 : this.#allocate(bytes);
    this.writeWord(pointerPointer, pointer);
    this.writeWord(sizePointer, bytes.length);
  }

  #allocate(bytes) {
    const pointer = this.#exports.malloc(bytes.length) >>> 0;
    if (pointer === 0 || pointer + bytes.length > this.size) {
      throw new OutOfBounds();
    }
    Buffer.from(this.#exports.memory.buffer, pointer, bytes.length).set(bytes);
    return pointer;
  }

  #view(pointer, length) {
    if ((pointer >>> 0) + length > this.size) {
      throw new OutOfBounds();
    }
    return new DataView(this.#exports.memory.buffer, pointer >>> 0, length);
  }
}

// A header map in memory: the number of pairs, the lengths of all names and values, then each of these with a zero byte after it.
export function packPairs(pairs) {
  const words = Buffer.alloc(4 + pairs.length * 8);
  words.writeUInt32LE(pairs.length, 0);
  const parts = [words];
  pairs.forEach(([name, value], place) => {
    words.writeUInt32LE(name.length, 4 + place * 8);
    words.writeUInt32LE(value.length, 8 + place * 8);
    parts.push(name, Buffer.of(0), value, Buffer.of(0));
  });
  return Buffer.concat(parts);
}

// If the bytes cannot be read, there are no pairs (PairsUtil::toPairs).
export function unpackPairs(bytes) {
  if (bytes.length < 4) {
    return [];
  }
  const count = bytes.readUInt32LE(0);
  let place = 4 + count * 8;
  const take = (length) => {
    const part = bytes.subarray(place, place + length);
    place += length + 1;
    return part;
  };
  const pairs = [];
  for (let index = 0; index < count; index += 1) {
    pairs.push([take(bytes.readUInt32LE(4 + index * 8)), take(bytes.readUInt32LE(8 + index * 8))]);
  }
  return place === bytes.length ? pairs : [];
}
