import net from "node:net";

/**
 * A proxy for TCP connections that loses them at random moments: before the request has gone through,
 * between it and its answer, in the middle of either. Whoever uses it sees a reset or an early end.
 */
export class CuttingProxy {
  /** Connections that came, and those of them that were lost. */
  connections = 0;
  cuts = 0;
  #target;
  #server;
  #sockets = new Set();
  #chance;

  /** `target` is the gateway's origin, `chance` gives numbers from 0 to 1. */
  static async start(target, chance) {
    const proxy = new CuttingProxy();
    proxy.#target = new URL(target);
    proxy.#chance = chance;
    proxy.#server = net.createServer((socket) => proxy.#pass(socket));
    await new Promise((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get origin() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(page) {
    this.connections += 1;
    const { hostname: host, port } = this.#target;
    const gateway = net.connect({ host, port, noDelay: true });
    page.setNoDelay(true);
    const cut = this.#fate(page, gateway);
    for (const [from, to] of [[page, gateway], [gateway, page]]) {
      this.#sockets.add(from);
      from.on("data", (bytes) => {
        const left = cut.after - bytes.length;
        to.write(left < 0 ? bytes.subarray(0, cut.after) : bytes);
        cut.after = Math.max(left, 0);
        if (left <= 0) cut.now();
      });
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        clearTimeout(cut.timer);
        to.destroy();
      });
    }
  }

  /**
   * When a connection is lost: mostly after some bytes of both directions together, sometimes after
   * some time; by a reset or by an end. None lasts, or the requests would all gather on that one.
   */
  #fate(page, gateway) {
    const [kind, size, manner] = [this.#chance(), this.#chance(), this.#chance()];
    const cut = { after: kind < 0.75 ? Math.floor(size * 9_000) : Infinity, timer: undefined };
    cut.now = () => {
      if (page.destroyed) return;
      this.cuts += 1;
      gateway.destroy();
      if (manner < 0.5) page.resetAndDestroy();
      else page.destroySoon();
    };
    if (kind >= 0.75) cut.timer = setTimeout(cut.now, size * 150);
    return cut;
  }
}
