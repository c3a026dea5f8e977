// What all virtual machines of one Envoy share: data, queues and metrics.

import { METRIC_KINDS, Status } from './abi.mjs';

// Values with versions, as in proxy-wasm-cpp-host (src/shared_data.cc). With version 0 a value is always set.
export class SharedData {
  #values = new Map();
  #nextVersion = 1;

  get(key) {
    return this.#values.get(key);
  }

  set(key, value, version) {
    const known = this.#values.get(key);
    if (known && version !== 0 && version !== known.version) {
      return Status.CasMismatch;
    }
    this.#values.set(key, { value, version: this.#nextVersion });
    this.#nextVersion += 1;
    return Status.Ok;
  }

  get keys() {
    return [...this.#values.keys()];
  }
}

// Queues (src/shared_queue.cc). A queue wakes the root context that has registered it last, later and on that context's thread. A new
// registration keeps what is in the queue.
export class SharedQueues {
  #tokens = new Map();
  #queues = new Map();

  register(name, vm, contextId) {
    if (!this.#tokens.has(name)) {
      this.#tokens.set(name, this.#tokens.size + 1);
    }
    const token = this.#tokens.get(name);
    const items = this.#queues.get(token)?.items ?? [];
    this.#queues.set(token, { items, vm, contextId });
    return token;
  }

  resolve(name) {
    return this.#tokens.get(name) ?? 0;
  }

  // Returns the queue, whose root context must be woken.
  enqueue(token, item) {
    const queue = this.#queues.get(token);
    queue?.items.push(item);
    return queue;
  }

  dequeue(token) {
    const queue = this.#queues.get(token);
    return queue ? { item: queue.items.shift() } : undefined;
  }
}

// Metrics. Numbers belong to a virtual machine, values to the process, by name.
export class Metrics {
  #values = new Map();

  define(kind, name) {
    if (!this.#values.has(name)) {
      this.#values.set(name, { kind: METRIC_KINDS[kind], value: 0n });
    }
    return name;
  }

  get(name) {
    return this.#values.get(name)?.value;
  }

  increment(name, offset) {
    const metric = this.#values.get(name);
    if (!metric) {
      return Status.NotFound;
    }
    if (metric.kind === 'histogram' || (metric.kind === 'counter' && offset <= 0n)) {
      return Status.BadArgument;
    }
    metric.value += offset;
    return Status.Ok;
  }

  // Adds to a counter, or sets a gauge.
  record(name, value) {
    const metric = this.#values.get(name);
    if (!metric) {
      return Status.NotFound;
    }
    metric.value = metric.kind === 'counter' ? metric.value + value : value;
    return Status.Ok;
  }

  // The metrics as Envoy's /stats shows them.
  toObject() {
    return Object.fromEntries([...this.#values].map(([name, { value }]) => [`wasmcustom.${name}`, Number(value)]));
  }
}
