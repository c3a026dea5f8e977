// One virtual machine: an instance of the module on one of Envoy's threads, with its contexts.

import { imports } from './imports.mjs';
import { Memory } from './memory.mjs';

// What the module may call while it starts (WasmBase::startVm).
const ALLOWED_AT_START = new Set(['proxy_log']);

export class Vm {
  // The name of the thread.
  name;
  memory;
  // Set after a trap. Nothing in this machine is called any more.
  failure;
  contexts = new Map();
  root;
  // Every call of a host function, with its context.
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

  // Starts the root context and configures it. False: it refuses.
  configure(configuration) {
    this.root ??= this.#makeRoot();
    this.root.configuration = Buffer.from(configuration);
    const taken = this.call('proxy_on_configure', this.root, this.root.configuration.length);
    this.root.configuration = undefined;
    return Boolean(taken);
  }

  // Makes the context of a new stream.
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

  // Envoy shuts the machine down, for a new configuration or a removed plugin.
  shutDown() {
    this.close(this.root);
    this.die(new Error('shut down'));
  }

  // The machine ends without being told.
  die(failure) {
    this.failure ??= failure;
    this.#envoy.forget(this);
  }

  // Calls a function of the module in a context. A trap ends the machine, and does not throw here.
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

  // The context for host functions: the current one, unless the module has chosen another.
  get context() {
    const frame = this.#running.at(-1);
    return frame.effective ?? frame.context;
  }

  set effectiveContext(context) {
    this.#running.at(-1).effective = context;
  }

  // Runs `action` after the module has returned.
  afterwards(action) {
    this.#after.push(action);
  }

  // Records the call of a host function; throws if it is not allowed yet.
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
