// The host functions, `env.proxy_*`. They behave as Envoy's do (proxy-wasm-cpp-host src/exports.cc; Envoy
// source/extensions/common/wasm/context.cc), also in their status codes: the Rust SDK panics on those that it does not expect.

import { BufferType, LOG_LEVELS, MapType, Status } from './abi.mjs';
import { Headers } from './headers.mjs';
import { OutOfBounds, packPairs, unpackPairs } from './memory.mjs';

export function imports(vm, envoy) {
  const functions = { ...general(vm, envoy), ...maps(vm), ...buffers(vm), ...calls(vm, envoy), ...shared(vm, envoy), ...metrics(vm, envoy) };
  UNUSED.forEach((name) => (functions[name] = () => Status.Unimplemented));
  return Object.fromEntries(Object.entries(functions).map(([name, body]) => [name, guarded(vm, envoy, name, body)]));
}

// Envoy has these, too, but the filter does not use them.
const UNUSED = [
  'proxy_set_property',
  'proxy_get_status',
  'proxy_continue_stream',
  'proxy_close_stream',
  'proxy_grpc_call',
  'proxy_grpc_stream',
  'proxy_grpc_send',
  'proxy_grpc_cancel',
  'proxy_grpc_close',
  'proxy_done',
];

function guarded(vm, envoy, name, body) {
  return (...words) => {
    vm.note(name);
    if (name in envoy.statuses) {
      return envoy.statuses[name];
    }
    try {
      return body(...words);
    } catch (failure) {
      if (failure instanceof OutOfBounds) {
        return Status.InvalidMemoryAccess;
      }
      throw failure;
    }
  };
}

function general(vm, envoy) {
  return {
    proxy_log(level, pointer, size) {
      envoy.log(LOG_LEVELS[level], vm.memory.text(pointer, size), vm);
      return Status.Ok;
    },
    proxy_get_log_level(pointer) {
      vm.memory.writeWord(pointer, LOG_LEVELS.indexOf(envoy.logLevel));
      return Status.Ok;
    },
    proxy_get_current_time_nanoseconds(pointer) {
      vm.memory.writeLong(pointer, envoy.wallNanoseconds);
      return Status.Ok;
    },
    proxy_set_tick_period_milliseconds(period) {
      envoy.setTick(vm, vm.context.root ?? vm.context, period >>> 0);
      return Status.Ok;
    },
    proxy_set_effective_context(id) {
      const context = vm.contexts.get(id);
      if (!context) {
        return Status.BadArgument;
      }
      vm.effectiveContext = context;
      return Status.Ok;
    },
    proxy_get_property(pathPointer, pathSize, pointerPointer, sizePointer) {
      const path = vm.memory.text(pathPointer, pathSize).replaceAll('\0', '.');
      const value = vm.context.stream?.properties[path];
      if (value === undefined) {
        return Status.NotFound;
      }
      vm.memory.give(Buffer.from(value), pointerPointer, sizePointer);
      return Status.Ok;
    },
    proxy_call_foreign_function(namePointer, nameSize, pointer, size, resultPointer, resultSizePointer) {
      const name = vm.memory.text(namePointer, nameSize);
      const body = envoy.foreignFunctions[name];
      if (!body) {
        return Status.NotFound;
      }
      const status = body(vm.context.stream, vm.memory.read(pointer, size));
      vm.memory.give(Buffer.alloc(0), resultPointer, resultSizePointer);
      return status;
    },
  };
}

// === header maps ===

function mapOf(context, type) {
  switch (type) {
    case MapType.RequestHeaders:
      return context.stream?.current.requestHeaders;
    case MapType.RequestTrailers:
      return context.stream?.current.requestTrailers;
    case MapType.ResponseHeaders:
      return context.stream?.current.responseHeaders;
    case MapType.ResponseTrailers:
      return context.stream?.current.responseTrailers;
    case MapType.HttpCallResponseHeaders:
      return (context.root ?? context).answer?.headers;
    case MapType.HttpCallResponseTrailers:
      return (context.root ?? context).answer?.trailers;
    default:
      return undefined;
  }
}

// A map that does not exist now is a bad argument; a header that is not in the map is not found.
function maps(vm) {
  const withMap = (type, body) => {
    const map = mapOf(vm.context, type);
    return map ? body(map) : Status.BadArgument;
  };
  const changing = (type, body) =>
    withMap(type, (map) => {
      body(map);
      return Status.Ok;
    });
  const text = (pointer, size) => vm.memory.text(pointer, size);
  const bytes = (pointer, size) => vm.memory.read(pointer, size);
  return {
    proxy_get_header_map_value: (type, key, keySize, pointerPointer, sizePointer) =>
      withMap(type, (map) => {
        const value = map.bytes(text(key, keySize));
        if (value === undefined) {
          return Status.NotFound;
        }
        vm.memory.give(value, pointerPointer, sizePointer);
        return Status.Ok;
      }),
    proxy_get_header_map_pairs: (type, pointerPointer, sizePointer) =>
      changing(type, (map) => vm.memory.give(map.size === 0 ? Buffer.alloc(0) : packPairs(map.pairs), pointerPointer, sizePointer)),
    proxy_get_header_map_size: (type, pointer) => changing(type, (map) => vm.memory.writeWord(pointer, map.byteSize)),
    proxy_set_header_map_pairs: (type, pointer, size) =>
      changing(type, (map) => {
        map.pairs.forEach(([name]) => map.remove(name));
        unpackPairs(bytes(pointer, size)).forEach(([name, value]) => map.add(name, value));
      }),
    proxy_add_header_map_value: (type, key, keySize, value, valueSize) =>
      changing(type, (map) => map.add(text(key, keySize), bytes(value, valueSize))),
    proxy_replace_header_map_value: (type, key, keySize, value, valueSize) =>
      changing(type, (map) => map.set(text(key, keySize), bytes(value, valueSize))),
    proxy_remove_header_map_value: (type, key, keySize) => changing(type, (map) => map.remove(text(key, keySize))),
  };
}

// === buffers ===

function bufferOf(context, type) {
  switch (type) {
    case BufferType.RequestBody:
      return context.stream?.current.requestBody;
    case BufferType.ResponseBody:
      return context.stream?.current.responseBody;
    case BufferType.HttpCallResponseBody:
      return (context.root ?? context).answer?.body;
    case BufferType.VmConfiguration:
      return Buffer.alloc(0);
    case BufferType.PluginConfiguration:
      return (context.root ?? context).configuration;
    default:
      return undefined;
  }
}

function buffers(vm) {
  const withBuffer = (type, body) => {
    const buffer = bufferOf(vm.context, type);
    return buffer ? body(buffer) : Status.NotFound;
  };
  return {
    proxy_get_buffer_bytes: (type, start, length, pointerPointer, sizePointer) =>
      withBuffer(type, (buffer) => {
        // The host reads the words of the module as unsigned, and cuts at the end of the buffer.
        const from = start >>> 0;
        const piece = buffer.subarray(from, Math.min(from + (length >>> 0), buffer.length));
        vm.memory.give(piece, pointerPointer, sizePointer);
        return Status.Ok;
      }),
    proxy_get_buffer_status: (type, sizePointer, flagsPointer) =>
      withBuffer(type, (buffer) => {
        vm.memory.writeWord(sizePointer, buffer.length);
        vm.memory.writeWord(flagsPointer, 0);
        return Status.Ok;
      }),
    // The filter may not change the body of a stream.
    proxy_set_buffer_bytes: () => Status.BadArgument,
  };
}

// === calls ===

function calls(vm, envoy) {
  return {
    proxy_send_local_response(code, details, detailsSize, body, bodySize, pairs, pairsSize) {
      const { stream } = vm.context;
      const headers = new Headers([[':status', String(code)], ...unpackPairs(vm.memory.read(pairs, pairsSize))]);
      const bytes = vm.memory.read(body, bodySize);
      if (stream) {
        stream.stopped = true;
        vm.afterwards(() => stream.respondLocally(headers, bytes));
      }
      return Status.Ok;
    },
    proxy_http_call(cluster, clusterSize, pairs, pairsSize, body, bodySize, trailers, trailersSize, timeout, tokenPointer) {
      const name = vm.memory.text(cluster, clusterSize);
      const headers = new Headers(unpackPairs(vm.memory.read(pairs, pairsSize)));
      const complete = [':method', ':path', ':authority'].every((field) => headers.get(field) !== undefined);
      if (!envoy.clusters.has(name) || !complete) {
        return Status.BadArgument;
      }
      if (envoy.refusesCalls) {
        return Status.InternalFailure;
      }
      const call = { vm, root: vm.context.root ?? vm.context, cluster: name, headers, body: vm.memory.read(body, bodySize), timeout };
      vm.memory.writeWord(tokenPointer, envoy.send(call));
      return Status.Ok;
    },
  };
}

// === shared data and queues ===

function shared(vm, envoy) {
  const { data, queues } = envoy;
  return {
    proxy_get_shared_data(key, keySize, pointerPointer, sizePointer, versionPointer) {
      const found = data.get(vm.memory.text(key, keySize));
      if (!found) {
        return Status.NotFound;
      }
      vm.memory.give(found.value, pointerPointer, sizePointer);
      vm.memory.writeWord(versionPointer, found.version);
      return Status.Ok;
    },
    proxy_set_shared_data: (key, keySize, value, valueSize, version) =>
      data.set(vm.memory.text(key, keySize), vm.memory.read(value, valueSize), version >>> 0),
    proxy_register_shared_queue(name, nameSize, tokenPointer) {
      const root = vm.context.root ?? vm.context;
      vm.memory.writeWord(tokenPointer, queues.register(vm.memory.text(name, nameSize), vm, root.id));
      return Status.Ok;
    },
    proxy_resolve_shared_queue(id, idSize, name, nameSize, tokenPointer) {
      const token = queues.resolve(vm.memory.text(name, nameSize));
      if (token === 0) {
        return Status.NotFound;
      }
      vm.memory.writeWord(tokenPointer, token);
      return Status.Ok;
    },
    proxy_enqueue_shared_queue(token, pointer, size) {
      const queue = queues.enqueue(token, vm.memory.read(pointer, size));
      if (!queue) {
        return Status.NotFound;
      }
      envoy.later(() => queue.vm.call('proxy_on_queue_ready', queue.vm.contexts.get(queue.contextId), token));
      return Status.Ok;
    },
    proxy_dequeue_shared_queue(token, pointerPointer, sizePointer) {
      const taken = queues.dequeue(token);
      if (!taken) {
        return Status.NotFound;
      }
      if (taken.item === undefined) {
        return Status.Empty;
      }
      vm.memory.give(taken.item, pointerPointer, sizePointer);
      return Status.Ok;
    },
  };
}

// === metrics ===

function metrics(vm, envoy) {
  return {
    proxy_define_metric(kind, name, nameSize, pointer) {
      const known = envoy.metrics.define(kind, vm.memory.text(name, nameSize));
      vm.memory.writeWord(pointer, vm.defineMetric(known));
      return Status.Ok;
    },
    proxy_increment_metric: (number, offset) => envoy.metrics.increment(vm.metricName(number), offset),
    proxy_record_metric: (number, value) => envoy.metrics.record(vm.metricName(number), BigInt.asUintN(64, value)),
    proxy_get_metric(number, pointer) {
      const value = envoy.metrics.get(vm.metricName(number));
      if (value === undefined) {
        return Status.NotFound;
      }
      vm.memory.writeLong(pointer, value);
      return Status.Ok;
    },
  };
}
