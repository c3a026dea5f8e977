// One virtual machine: an instance of the module on one of Envoy's threads, with the contexts that live in it.

import { imports } from './imports.mjs';
import { Memory } from './memory.mjs';

// What the module may call while it is started (WasmBase::startVm).
const ALLOWED_AT_START = new Set(['proxy_log']);

export class Vm {
  // The name of the thread.
  name;
  memory;
  // Set by a trap: nothing of this machine is called any more.
  failure;
  contexts = new Map();
  root;
  // Every host function that was called, with the context it was called in.
  trace = [];

  #envoy;
  #exports;
  #starting = true;
  #running = [];
  #after = [];
  #nextContextId = 1;
  #metricNames = new Map();

  constructor(envoy, name) {
    this.#envoy = envoy;
    this.name = name;
    const instance = new WebAssembly.Instance(envoy.module, { env: imports(this, envoy) });
    this.#exports = instance.exports;
    this.memory = new Memory(this.#exports);
    this.#run(undefined, () => (this.#exports._initialize ?? this.#exports._start)?.());
    this.#starting = false;
  }

  // Starts the root context and gives it its configuration; false where it refuses.
  configure(configuration) {
    this.root ??= this.#makeRoot();
    this.root.configuration = Buffer.from(configuration);
    const taken = this.call('proxy_on_configure', this.root, this.root.configuration.length);
    this.root.configuration = undefined;
    return Boolean(taken);
  }

  // The context of a new stream.
  open(stream) {
    const context = this.#makeContext({ root: this.root, stream });
    this.call('proxy_on_context_create', context, this.root.id);
    return context;
  }

  close(context) {
    if (context.stream) {
      this.call('proxy_on_log', context);
    }
    this.call('proxy_on_done', context);
    this.call('proxy_on_delete', context);
    this.contexts.delete(context.id);
  }

  // Envoy takes the machine down in order: a new configuration, or a removed plugin.
  shutDown() {
    this.close(this.root);
    this.die(new Error('shut down'));
  }

  // The machine ends without a word.
  die(failure) {
    this.failure ??= failure;
    this.#envoy.forget(this);
  }

  // Calls a function of the module in a context. A trap ends the machine, not the caller.
  call(name, context, ...words) {
    const exported = this.#exports[name];
    if (this.failure || !exported || !this.contexts.has(context?.id)) {
      return undefined;
    }
    const result = this.#run(context, () => exported(context.id, ...words));
    if (this.#running.length === 0) {
      this.#after.splice(0).forEach((action) => action());
    }
    return result;
  }

  // The context that host functions act on: the one that is called, unless the module has chosen another.
  get context() {
    const frame = this.#running.at(-1);
    return frame.effective ?? frame.context;
  }

  set effectiveContext(context) {
    this.#running.at(-1).effective = context;
  }

  // Something that must wait until the module has returned.
  afterwards(action) {
    this.#after.push(action);
  }

  // Notes the call of a host function; throws where it is not allowed yet.
  note(name) {
    if (this.#starting && !ALLOWED_AT_START.has(name)) {
      throw new Error(`${name} is not allowed while the module starts`);
    }
    this.trace.push({ name, context: this.#running.at(-1)?.context?.id });
  }

  defineMetric(name) {
    const number = this.#metricNames.size + 1;
    this.#metricNames.set(number, name);
    return number;
  }

  metricName(number) {
    return this.#metricNames.get(number);
  }

  #makeRoot() {
    const root = this.#makeContext({ root: undefined, stream: undefined });
    this.call('proxy_on_context_create', root, 0);
    this.call('proxy_on_vm_start', root, 0);
    return root;
  }

  #makeContext(parts) {
    const context = { id: this.#nextContextId, ...parts };
    this.#nextContextId += 1;
    this.contexts.set(context.id, context);
    return context;
  }

  #run(context, action) {
    this.#running.push({ context, effective: undefined });
    try {
      return action();
    } catch (failure) {
      this.#envoy.log('critical', `${this.name}: ${failure}`);
      this.#after = [];
      this.die(failure);
      return undefined;
    } finally {
      this.#running.pop();
    }
  }
}
