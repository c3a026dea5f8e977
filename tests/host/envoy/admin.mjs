// Envoy's admin interface and pilot-agent's status server, as the filter's calls reach them.

export class Admin {
  // All requests, in order.
  requests = [];
  // Requests in flight by cluster.
  inFlight = { 'outbound|9000||backend.example': 0 };
  // The value of cluster_manager.active_clusters.
  clusterCount = 8;
  // Other answers, by request: { status, body }, or a function of the call. With null there is no answer.
  instead = {};
  // The cluster through which Envoy was told to shut down.
  quitBy;

  constructor(envoy) {
    envoy.onCall = (call) => this.#serve(call);
  }

  count(request) {
    return this.requests.filter((known) => known === request).length;
  }

  get clustersPage() {
    const lines = ['prometheus_stats::127.0.0.1:15000::rq_active::1', 'xds-grpc::/etc/istio/proxy/XDS::rq_active::1'];
    Object.entries(this.inFlight).forEach(([name, number]) => {
      lines.push(`${name}::127.0.0.1:9000::cx_active::${number}`, `${name}::127.0.0.1:9000::rq_active::${number}`);
    });
    return `${lines.join('\n')}\n`;
  }

  #serve(call) {
    this.requests.push(call.cluster === 'prometheus_stats' ? call.request : `${call.cluster}: ${call.request}`);
    const instead = this.instead[call.request] ?? this.instead['*'];
    if (typeof instead === 'function') {
      instead(call);
    } else if (instead !== null) {
      const { status, body } = instead ?? this.#usual(call);
      call.answer(status, body);
    }
  }

  #usual(call) {
    switch (call.request) {
      case 'POST /quitquitquit':
        this.quitBy ??= call.cluster;
        return { status: 200, body: 'OK\n' };
      case 'GET /clusters':
        return { status: 200, body: this.clustersPage };
      case 'GET /stats?filter=^cluster_manager.active_clusters$':
        return { status: 200, body: `cluster_manager.active_clusters: ${this.clusterCount}\n` };
      case 'POST /healthcheck/fail':
      case 'POST /drain_listeners?inboundonly&graceful&skip_exit':
        return { status: 200, body: 'OK\n' };
      default:
        return { status: 404, body: 'no such path\n' };
    }
  }
}
