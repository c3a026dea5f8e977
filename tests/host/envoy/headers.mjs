// A header map as Envoy keeps it: names in lower case, values as bytes, in order.

export class Headers {
  #pairs = [];

  // From an object, a list of pairs, or another map; names and values are texts or bytes.
  constructor(source = []) {
    const pairs = source instanceof Headers ? source.pairs : Array.isArray(source) ? source : Object.entries(source);
    pairs.forEach(([name, value]) => this.add(name, value));
  }

  get pairs() {
    return this.#pairs.map(([name, value]) => [Buffer.from(name), value]);
  }

  get size() {
    return this.#pairs.length;
  }

  get byteSize() {
    return this.#pairs.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  }

  add(name, value) {
    this.#pairs.push([name.toString().toLowerCase(), Buffer.from(value)]);
  }

  // The first value with this name, as bytes; undefined if there is none.
  bytes(name) {
    return this.#pairs.find(([known]) => known === name.toLowerCase())?.[1];
  }

  get(name) {
    return this.bytes(name)?.toString();
  }

  set(name, value) {
    this.remove(name);
    this.add(name, value);
  }

  remove(name) {
    this.#pairs = this.#pairs.filter(([known]) => known !== name.toString().toLowerCase());
  }

  toObject() {
    return Object.fromEntries(this.#pairs.map(([name, value]) => [name, value.toString()]));
  }
}
